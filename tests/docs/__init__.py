"""Tests that what the docs say is so."""
