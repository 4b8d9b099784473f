"""The tokens that were ever configured, in memory. Twin of `PostgresKnownTokens`."""

from libs.common.errors import UndeliverError


class FakeKnownTokens:
    """See `KnownTokens`. `broken` is raised while it is set; `asked` is every look-up."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self.asked: list[str] = []
        self.broken: UndeliverError | None = None

    async def remember(self, tokens, at):
        """See `KnownTokens.remember`."""
        self._fail_if_broken()
        self.tokens |= set(tokens)

    async def was_known(self, token):
        """See `KnownTokens.was_known`."""
        self._fail_if_broken()
        self.asked.append(token)
        return token in self.tokens

    def _fail_if_broken(self) -> None:
        if self.broken is not None:
            raise self.broken
