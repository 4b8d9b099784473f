"""What ingest decides about a received message: pure functions over bytes, no I/O.

What parsing needs imports no third-party package: worker processes load it and must start fast.
"""
