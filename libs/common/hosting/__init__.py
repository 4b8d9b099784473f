"""One service as a process of its own: waits for what it stands on, runs, and stops cleanly."""
