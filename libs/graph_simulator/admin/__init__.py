"""What the tester may do: deliver, act as a user, break things, and read the truth."""
