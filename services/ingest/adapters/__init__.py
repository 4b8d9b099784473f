"""What stands behind ingest's ports, and what calls its handler."""
