"""The launcher, with real servers."""
