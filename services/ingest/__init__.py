"""Takes mail in: listens, finds the tenant, slices the original out, stores raw, publishes."""
