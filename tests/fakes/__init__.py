"""Hand-written twins of ports; each passes its port's contract suite."""
