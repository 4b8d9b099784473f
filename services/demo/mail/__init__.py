"""Mail written for the demonstration: example domains, nobody's real words."""
