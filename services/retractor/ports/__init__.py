"""What the retractor needs from outside: mailboxes, its ledger, the rules in force."""
