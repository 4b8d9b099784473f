"""The record: every message on the exchange, once, append-only and hash-chained."""
