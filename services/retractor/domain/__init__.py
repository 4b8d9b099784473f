"""The decisions: identity, the guard, which command wins, ancestry. Pure functions."""
