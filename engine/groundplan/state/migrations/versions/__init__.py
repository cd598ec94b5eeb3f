"""Migrations of the store, one file a change, oldest first; `schema` has the tables as they are after the newest."""
