"""How fast, compared within one run: `make bench`, `make bench-<suite>`."""
