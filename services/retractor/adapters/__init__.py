"""Postgres, Microsoft Graph."""
