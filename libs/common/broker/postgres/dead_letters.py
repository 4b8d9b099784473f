"""What was given up on. See `DeadLetters`."""

from collections.abc import AsyncGenerator, Sequence

from libs.common.broker.port import DeadLettered
from libs.common.broker.postgres.rows import dead_letter_of
from libs.common.broker.postgres.session import Session
from libs.common.broker.postgres.wakeups import Wakeups

_LARGEST_ID = 2**63 - 1
#: Of the largest bodies, so many still fit into memory.
_PAGE = 20


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

    async def walk(self, queue: str | None = None) -> AsyncGenerator[DeadLettered, None]:
        """See `DeadLetters.walk`."""
        began_at = await self._session.fetch_value("current_time")
        last: tuple[object, object] = (None, None)
        while rows := await self._session.fetch(
            "dead_letters_after", queue, *last, began_at, _PAGE
        ):
            last = (rows[-1]["dead_lettered_at"], rows[-1]["dead_letter_id"])
            for row in rows:
                yield dead_letter_of(row)

    async def replay(self, dead_letter_id: str) -> bool:
        """See `DeadLetters.replay`."""
        if not dead_letter_id.isdecimal() or int(dead_letter_id) > _LARGEST_ID:
            return False
        queue = await self._session.fetch_value("replay", int(dead_letter_id))
        if queue is None:
            return False
        self._wakeups.ring([str(queue)])
        return True
