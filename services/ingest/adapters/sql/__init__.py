"""Migrations and statements of the schema `ingest`."""
