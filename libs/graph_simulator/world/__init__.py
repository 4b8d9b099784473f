"""What the simulator pretends exists: tenants, mailboxes, items, and how mail gets there."""
