"""What ingest decides about a received message: pure functions, no I/O."""
