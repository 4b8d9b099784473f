"""Messages between services: the port, its adapters, and the loops around plain handlers."""
