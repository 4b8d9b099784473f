"""Lists, shows and replays dead letters."""

import json
from collections.abc import Mapping
from contextlib import aclosing

from libs.common.broker.opening import BrokerAddress, open_broker, open_dead_letters
from libs.common.broker.port import DeadLettered
from libs.common.clock import SystemClock
from libs.common.terminal import Output
from services.broker.letters import Wanted, body, chosen, everything, summary
from services.broker.replaying import Outcome, Replay

COLUMNS = (
    "id",
    "queue",
    "type",
    "tenant",
    "publisher",
    "reason",
    "attempt",
    "dead_lettered_at",
)
_EMPTY = "no dead letters"


async def list_letters(output: Output, wanted: Wanted, address: BrokerAddress) -> int:
    """Print the letters that are meant, without their bodies."""
    async with (
        open_dead_letters(address, clock=SystemClock()) as dead_letters,
        aclosing(chosen(dead_letters, wanted)) as letters,
    ):
        lines = _Lines(output, COLUMNS)
        count = 0
        async for letter in letters:
            lines.add(summary(letter))
            count += 1
        lines.end()
    if count == wanted.limit:
        output.note(f"these are the first {count}: there may be more (--limit)")
    return 0


async def show_letter(output: Output, wanted: Wanted, address: BrokerAddress) -> int:
    """Print one letter whole; 1 where there is none of this id."""
    async with (
        open_dead_letters(address, clock=SystemClock()) as dead_letters,
        aclosing(chosen(dead_letters, wanted)) as letters,
    ):
        letter = await anext(letters, None)
    if letter is None:
        output.note("no such dead letter: see `undeliver broker dead-letters list`")
        return 1
    _print_whole(output, letter)
    return 0


async def replay_letters(
    output: Output, wanted: Wanted, address: BrokerAddress, *, requested_by: str, dry_run: bool
) -> int:
    """Replay the letters that are meant, and print what became of each.

    Returns 1 where one of those named by id was not there, or was gone when its turn came.
    """
    clock = SystemClock()
    lines = _Lines(output, ("outcome", *COLUMNS))
    unmet = set(wanted.ids or ())
    try:
        async with (
            open_broker(address, clock=clock) as broker,
            open_dead_letters(address, clock=clock) as dead_letters,
            aclosing(chosen(dead_letters, wanted)) as letters,
        ):
            replay = Replay(dead_letters, broker, clock, requested_by)
            async for letter in letters:
                outcome: Outcome = "would_replay" if dry_run else await replay(letter)
                unmet.discard(letter.dead_letter_id)
                lines.add({"outcome": outcome, **summary(letter)})
        for letter_id in sorted(unmet):
            lines.add({"outcome": "not_there", "id": letter_id})
    finally:  # what was done is told, whatever comes
        lines.end()
    return 1 if lines.has("not_there") else 0


class _Lines:
    """A list that programs read as it grows, and people as a table in the end."""

    def __init__(self, output: Output, columns: tuple[str, ...]) -> None:
        self._output = output
        self._columns = columns
        self._rows: list[Mapping[str, object]] = []
        self._outcomes: set[object] = set()

    def add(self, row: Mapping[str, object]) -> None:
        """Print a row, or keep it for the table."""
        self._outcomes.add(row.get("outcome"))
        if self._output.as_json:
            self._output.record(row)
        else:
            self._rows.append(row)

    def has(self, outcome: Outcome) -> bool:
        """Return whether a row had this outcome."""
        return outcome in self._outcomes

    def end(self) -> None:
        """Print the table."""
        if not self._output.as_json:
            self._output.records(self._rows, self._columns, empty=_EMPTY)


def _print_whole(output: Output, letter: DeadLettered) -> None:
    contents = body(letter)
    if output.as_json:
        output.record({**everything(letter), **contents})
        return
    output.record(everything(letter))
    if contents["body_text"] is None:
        output.text(json.dumps(contents["body"], indent=2, ensure_ascii=False))
    else:
        output.text(str(contents["body_text"]))
