"""Who is behind the protected and the very important addresses: aliases must not get round them."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from libs.common.clock import Clock
from libs.common.contracts.retraction import Outcome
from libs.common.errors import PermanentError, TransientError
from services.retractor.domain.addresses import normalised
from services.retractor.domain.guard import PROTECTED_MAILBOX, VIP_MAILBOX
from services.retractor.domain.mail import Mailbox
from services.retractor.ports.ledger import DirectoryCache
from services.retractor.ports.mailboxes import Directory
from services.retractor.ports.rules import Rules

PROTECTION_UNKNOWN = "protection_unknown"
#: How long an answer is believed without a look into the cache, `nobody` included.
_BELIEVED_SECONDS = 300.0


@dataclass(slots=True)
class Protection:
    """Knows mailboxes by their users, whatever address led to them."""

    rules: Rules
    directory: Directory
    cache: DirectoryCache
    clock: Clock
    known_for_seconds: float
    #: Whom addresses led to, and until when (monotonic) that is believed: asked for each search.
    _users: dict[tuple[str, str], tuple[str | None, float]] = field(default_factory=dict)
    #: Many visits begin at once and ask the same: one asks, the others read its answer.
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def objection(self, mailbox: Mailbox) -> tuple[Outcome, str] | None:
        """Return why nothing in this mailbox may be touched; None where it may.

        Raises:
            TransientError: it is not known who is behind a protected address; never a yes.
        """
        tenant = self.rules.tenant(mailbox.tenant)
        if tenant is None:
            return None
        if await self._is_among(mailbox, normalised(tenant.protected_mailboxes)):
            return Outcome.REFUSED, PROTECTED_MAILBOX
        if await self._is_among(mailbox, normalised(tenant.vip_mailboxes)):
            return Outcome.UNTOUCHED, VIP_MAILBOX
        return None

    async def _is_among(self, mailbox: Mailbox, addresses: Sequence[str]) -> bool:
        if mailbox.address in addresses:
            return True
        for address in addresses:
            if await self._user_id(mailbox.tenant, address) == mailbox.user_id:
                return True
        return False

    async def _user_id(self, tenant: str, address: str) -> str | None:
        async with self._locks[tenant]:
            user_id, until = self._users.get((tenant, address), (None, 0.0))
            if until <= self.clock.monotonic():
                user_id = await self._learned(tenant, address)
                until = self.clock.monotonic() + _BELIEVED_SECONDS
                self._users[tenant, address] = user_id, until
            return user_id

    async def _learned(self, tenant: str, address: str) -> str | None:
        now = self.clock.now()
        not_before = now - timedelta(seconds=self.known_for_seconds)
        known = await self.cache.user_id(tenant, address, not_before)
        if known is not None:
            return known
        found = await self._resolved(tenant, address)
        if found is None:
            return None
        await self.cache.remember(tenant, address, found.user_id, {}, now)
        return found.user_id

    async def _resolved(self, tenant: str, address: str) -> Mailbox | None:
        try:
            return await self.directory.resolve(tenant, address)
        except PermanentError as error:
            raise TransientError(PROTECTION_UNKNOWN, error.reason) from error
