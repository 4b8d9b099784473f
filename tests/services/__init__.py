"""Real servers for the tests: found, or started in private; one module each."""
