"""The inbox of a service: its table and its statements."""
