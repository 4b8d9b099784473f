"""What a message is, and why: pure functions over bounded, frozen values. No I/O, no async."""
