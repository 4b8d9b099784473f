"""Tenants and publishers: the configuration file, validated, and its secrets by reference."""
