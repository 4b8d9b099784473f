"""Takes mail back out of mailboxes: who received what, the guard, and the ledger of copies."""
