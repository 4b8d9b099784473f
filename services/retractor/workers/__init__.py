"""Loops over the ledger: they find and move copies, and announce what became of them."""
