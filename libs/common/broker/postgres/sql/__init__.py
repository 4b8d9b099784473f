"""Migrations and statements of the queue in Postgres."""
