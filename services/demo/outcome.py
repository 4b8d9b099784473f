"""What the demonstration shows in the end: every copy, by the simulator's word and by ours."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from libs.common.contracts.mail import Disposition, MailClassified
from libs.common.contracts.retraction import CopySettled, Destination, Outcome
from libs.common.visible import bounded
from libs.graph_simulator.admin.states import CopyState
from services.demo.testimony import MessageName, Testimony

#: Where Microsoft Graph puts what we send to each destination.
_FOLDERS = {
    Destination.JUNK: "junkemail",
    Destination.TRASH: "deleteditems",
    Destination.SOFT_DELETE: "recoverableitemsdeletions",
    Destination.HARD_DELETE: "recoverableitemspurges",
}

_SUBJECT_CHARACTERS = 48
_REASON_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class CopyRow:
    """One copy in one mailbox."""

    mailbox: str
    internet_message_id: str
    subject: str
    disposition: Disposition | None
    destination: Destination
    outcome: Outcome
    reason: str | None
    #: By the simulator's word, never by our ledger's.
    folder_before: str
    folder_after: str
    #: From the simulator's delivery to the first move.
    seconds_to_removal: float | None

    @property
    def agrees(self) -> bool:
        """Whether the copy lies where our outcome says."""
        if self.outcome in {Outcome.MOVED, Outcome.ALREADY_THERE}:
            return self.folder_after == _FOLDERS.get(self.destination)
        return self.folder_after == self.folder_before

    def public(self) -> dict[str, object]:
        """Return the row as `demo --json` shows it."""
        return {
            "mailbox": self.mailbox,
            "internet_message_id": self.internet_message_id,
            "disposition": self.disposition,
            "destination": self.destination,
            "outcome": self.outcome,
            "reason": self.reason,
            "folder_before": self.folder_before,
            "folder_after": self.folder_after,
            "seconds_to_removal": self.seconds_to_removal,
        }


def copy_rows(copies: Sequence[CopyState], testimony: Testimony) -> list[CopyRow]:
    """Return a row for every copy in every mailbox."""
    verdicts = testimony.verdicts()
    return [_row(copy, verdicts, testimony.settled) for copy in copies]


def by_disposition(testimony: Testimony) -> dict[str, int]:
    """Count the messages of each disposition, all six named."""
    counted = Counter(verdict.disposition for verdict in testimony.verdicts().values())
    return {disposition.value: counted[disposition] for disposition in Disposition}


def message_rows(rows: Sequence[CopyRow], testimony: Testimony) -> list[dict[str, object]]:
    """Return a line for each message, for people: verdict, first reason, what became of it."""
    verdicts = testimony.verdicts()
    return [
        _message_row(name, verdict, [row for row in rows if _name(row) == name])
        for name, verdict in verdicts.items()
    ]


def median_seconds(rows: Sequence[CopyRow]) -> float | None:
    """Return the median time from delivery to removal of what policy removed."""
    times = [row.seconds_to_removal for row in rows if row.seconds_to_removal is not None]
    return round(median(times), 3) if times else None


def _row(
    copy: CopyState,
    verdicts: Mapping[MessageName, MailClassified],
    settled: Mapping[tuple[str, str], CopySettled],
) -> CopyRow:
    verdict = verdicts.get((copy.internet_message_id, copy.subject))
    mailbox = copy.mailbox.lower()
    word = settled.get((mailbox, copy.immutable_id)) or settled.get(
        (mailbox, copy.internet_message_id)
    )
    removed_at = copy.history[0].at if copy.history else None
    return CopyRow(
        mailbox=copy.mailbox,
        internet_message_id=copy.internet_message_id,
        subject=copy.subject,
        disposition=verdict.disposition if verdict else None,
        destination=word.destination if word else Destination.NONE,
        outcome=word.outcome if word else Outcome.UNTOUCHED,
        reason=word.reason if word else None,
        folder_before=copy.history[0].folder_before if copy.history else copy.folder,
        folder_after=copy.folder,
        seconds_to_removal=(
            round((removed_at - copy.delivered_at).total_seconds(), 3) if removed_at else None
        ),
    )


def _message_row(
    name: MessageName, verdict: MailClassified, rows: Sequence[CopyRow]
) -> dict[str, object]:
    touched = [row for row in rows if row.outcome != Outcome.UNTOUCHED]
    outcomes = Counter(row.outcome.value for row in touched)
    first = verdict.reasons[0].detail if verdict.reasons else ""
    return {
        "message": bounded(name[1] or "", _SUBJECT_CHARACTERS),
        "disposition": verdict.disposition,
        "reason": bounded(first, _REASON_CHARACTERS) or None,
        "policy": verdict.action,
        "copies": len(rows),
        "became": ", ".join(f"{count} {what}" for what, count in outcomes.items()) or None,
        "to": sorted({row.destination.value for row in touched}),
        "seconds": median_seconds(rows),
    }


def _name(row: CopyRow) -> MessageName:
    return row.internet_message_id, row.subject
