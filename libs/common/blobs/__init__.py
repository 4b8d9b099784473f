"""Raw mail at rest: the claim check behind every message about mail."""
