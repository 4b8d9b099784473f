"""Migrations and named statements."""
