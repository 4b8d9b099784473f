"""What was given up on. See `DeadLetters`."""

from collections.abc import Sequence

from libs.common.broker.port import DeadLettered
from libs.common.broker.postgres.rows import dead_letter_of
from libs.common.broker.postgres.session import Session
from libs.common.broker.postgres.wakeups import Wakeups

_LARGEST_ID = 2**63 - 1


class PostgresDeadLetters:
    """The dead letters that the session's role may see: its own queues', or all for `cli`."""

    def __init__(self, session: Session, wakeups: Wakeups) -> None:
        self._session = session
        self._wakeups = wakeups

    async def waiting(
        self, queue: str | None = None, *, limit: int = 100
    ) -> Sequence[DeadLettered]:
        """See `DeadLetters.waiting`."""
        rows = await self._session.fetch("waiting_dead_letters", queue, limit)
        return [dead_letter_of(row) for row in rows]

    async def replay(self, dead_letter_id: str) -> bool:
        """See `DeadLetters.replay`."""
        if not dead_letter_id.isdecimal() or int(dead_letter_id) > _LARGEST_ID:
            return False
        queue = await self._session.fetch_value("replay", int(dead_letter_id))
        if queue is None:
            return False
        self._wakeups.ring([str(queue)])
        return True
