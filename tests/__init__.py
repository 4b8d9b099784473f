"""Tests of undeliver."""
