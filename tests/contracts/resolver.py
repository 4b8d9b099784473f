"""What every `Resolver` does."""


class ResolverContract:
    """Each implementation gives the fixture `resolver`, over a DNS that knows `TEXTS` only."""

    async def test_a_record_comes_in_one_piece(self, resolver):
        assert await resolver.txt("s1._domainkey.fabrikam.example") == ("v=DKIM1; " + "p" * 600,)

    async def test_a_name_that_does_not_exist_has_surely_no_record(self, resolver):
        assert await resolver.txt("no-such.fabrikam.example") == ()

    async def test_silence_is_null(self, silent_resolver):
        assert await silent_resolver.txt("s1._domainkey.fabrikam.example") is None


TEXTS = {"s1._domainkey.fabrikam.example": "v=DKIM1; " + "p" * 600}
