"""The store in a relational database, through SQLAlchemy Core: the only place that imports it."""
