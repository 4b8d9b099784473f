"""What every memory of tokens does. Subclasses give one fixture: `known_tokens`."""

from datetime import UTC, datetime

from services.ingest.domain.routes import token_hash

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
FIRST, SECOND, NEVER = (token_hash(letter * 26) for letter in "abc")


class KnownTokensContract:
    """One memory, seen from outside."""

    async def test_what_was_never_configured_is_not_known(self, known_tokens):
        await known_tokens.remember([FIRST, SECOND], AT)

        assert not await known_tokens.was_known(NEVER)

    async def test_what_was_configured_stays_known_when_others_are(self, known_tokens):
        await known_tokens.remember([FIRST], AT)
        await known_tokens.remember([SECOND], AT)

        assert await known_tokens.was_known(FIRST)
        assert await known_tokens.was_known(SECOND)

    async def test_to_remember_again_changes_nothing(self, known_tokens):
        await known_tokens.remember([FIRST, SECOND], AT)
        await known_tokens.remember([SECOND, FIRST, FIRST], AT)

        assert await known_tokens.was_known(FIRST)
