"""Loops on a clock, one module each."""
