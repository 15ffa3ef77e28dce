"""Postgres: the only store. SQL stands in `queries/`, the schema in `migrations/`."""
