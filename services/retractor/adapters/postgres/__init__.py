"""The ledger in Postgres: one class per port, one connection per transaction."""
