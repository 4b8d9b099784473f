"""Postgres for the services: pools, migrations, named statements, error translation, roles."""
