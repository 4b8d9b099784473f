"""The demonstration's parts, without running it."""
