"""The log in Postgres: writing it, searching it, checking it."""
