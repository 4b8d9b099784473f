"""An inbox in memory. Twin of `libs.common.broker.inbox.PostgresInbox`."""

from datetime import datetime

from libs.common.clock import Clock


class MemoryInbox:
    """See `Inbox`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[bytes, datetime]] = {}

    async def admit(self, publisher: str, message_id: str, body_sha256: bytes) -> bool:
        """See `Inbox.admit`."""
        entry = (body_sha256, self._clock.now())
        return self._known.setdefault((publisher, message_id), entry)[0] == body_sha256

    async def forget(self, before: datetime) -> None:
        """See `Inbox.forget`."""
        self._known = {key: entry for key, entry in self._known.items() if entry[1] >= before}
