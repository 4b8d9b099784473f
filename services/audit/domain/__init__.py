"""What a record is, how a body is split, how a chain is linked and checked. No I/O."""
