"""The composition of all services, without its process."""
