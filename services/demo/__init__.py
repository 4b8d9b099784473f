"""The demonstration: a tenant, its mail, and undeliver at work on it."""
