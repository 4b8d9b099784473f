"""The deployable services. They never import each other."""
