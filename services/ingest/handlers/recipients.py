"""Whose mail it is, by the configuration in force."""

from collections.abc import Callable

from libs.common.clock import Clock
from services.ingest.domain.routes import Destination, Refusal, Routes, token_hash, token_of
from services.ingest.ports import KnownTokens


class CurrentRoutes:
    """The routes of the configuration in force, with the tokens of every one that ever was.

    A token is remembered before anybody is told that it is one: a configuration that is replaced
    again, or a process that ends, leaves none behind that would later be called unknown.
    """

    def __init__(self, configured: Callable[[], Routes], tokens: KnownTokens, clock: Clock) -> None:
        self._configured = configured
        self._tokens = tokens
        self._clock = clock
        self._seen: Routes | None = None
        self._unremembered: frozenset[str] = frozenset()

    async def now(self) -> Routes:
        """Return the routes in force.

        Raises:
            TransientError: their tokens cannot be remembered yet.
        """
        routes = self._configured()
        if routes is not self._seen:
            self._seen = routes
            self._unremembered |= routes.configured
        if self._unremembered:
            tokens = self._unremembered
            await self._tokens.remember(tokens, self._clock.now())
            self._unremembered -= tokens
        return routes

    async def was_known(self, token: str) -> bool:
        """Return whether a token was ever a tenant's.

        Raises:
            TransientError: nobody can say now.
        """
        return await self._tokens.was_known(token_hash(token))


async def resolve_recipient(address: str, *, routes: CurrentRoutes) -> Destination | Refusal:
    """Find whose mail it is. See `Resolve`.

    What was ever a tenant's token is never called unknown: the configuration may have been changed
    before the tenant's journal rule was, and Exchange gives up on what is refused for good.
    """
    destination = (await routes.now()).resolve(address)
    token = token_of(address)
    if destination is not Refusal.UNKNOWN_TOKEN or token is None:
        return destination
    return Refusal.FORMER_TOKEN if await routes.was_known(token) else destination
