"""What classifying needs from outside. Raw mail comes through `libs.common.blobs.port.Blobs`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.policy import Decision
from services.classifier.domain.verdict import Verdict


class Resolver(Protocol):
    """The DNS, as far as it can be asked in time."""

    async def txt(self, name: str) -> tuple[str, ...] | None:
        """Return the TXT records of a name, each in one piece; () = it surely has none.

        Null where there was no answer in time, or none to be trusted: never evidence. Does not
        raise.
        """


class Evaluator(Protocol):
    """Parses and judges hostile mail within a bound of time and memory.

    Whatever a message does to it, there is an answer: at worst the verdict on an unread message.
    """

    async def questions(self, raw: bytes) -> tuple[str, ...]:
        """Return the DNS names whose TXT records bear on it; () where it cannot be read."""

    async def judge(self, raw: bytes, about: Circumstances) -> Verdict:
        """Return what the message is."""

    async def judge_file(self, content: bytes, about: Circumstances) -> Verdict:
        """Return what the message in a person's file is; a report is unwrapped."""


@dataclass(frozen=True, slots=True)
class ReportPart:
    """One part of one report, and the message that it reports."""

    tenant: str
    report_key: str
    part: int
    message_key: str
    #: Of the original's bytes: forks of a message share the key above, not always the bytes.
    original_sha256: str
    is_receiver_trusted: bool


class SeenMessages(Protocol):
    """What has been decided before. Durable when a method returns.

    Raises (all methods):
        TransientError: `database_unreachable`, `database_conflict`.
    """

    async def decision_on(self, report: ReportPart) -> Decision | None:
        """Return what was decided on this very part of this report."""

    async def verdict_on(self, report: ReportPart) -> Verdict | None:
        """Return the verdict on the same bytes, come in an equally trusted way."""

    async def enter(
        self, report: ReportPart, verdict: Verdict, decide: Callable[[Verdict], Decision]
    ) -> Decision:
        """Keep a verdict and decide by the gravest one on this message; return the decision.

        Idempotent: a part that has its decision keeps it, whatever the verdict.
        """
