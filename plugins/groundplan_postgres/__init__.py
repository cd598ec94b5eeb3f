"""A plugin for databases and roles on a PostgreSQL server."""
