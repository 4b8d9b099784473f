"""Postgres behind the log and its readers."""
