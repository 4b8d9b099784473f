"""The tables of the log and the statements on them."""
