"""What the record says, as the demonstration needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from libs.common.contracts.mail import MailClassified, MailJournaled
from libs.common.contracts.retraction import CopySettled, RetractionFinished, RetractMail
from services.audit.adapters.postgres.reading import PostgresArchive
from services.audit.domain.reconstruction import whole_body
from services.audit.domain.record import Record
from services.demo.scenario import TENANT

#: Message-ID and subject: the sender writes both, so neither alone tells messages apart.
MessageName = tuple[str | None, str | None]
#: Mailbox and immutable id; the Message-ID where a copy was left alone unseen.
CopyName = tuple[str, str]


@dataclass(slots=True)
class Testimony:
    """The record of one moment, taken apart."""

    events: int = 0
    journaled: dict[str, MailJournaled] = field(default_factory=dict)
    classified: dict[str, MailClassified] = field(default_factory=dict)
    asked_for: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    #: First causes whose commands have come to their end.
    answered: set[str] = field(default_factory=set)
    #: The latest word on each copy.
    settled: dict[CopyName, CopySettled] = field(default_factory=dict)

    def verdicts(self) -> Mapping[MessageName, MailClassified]:
        """Return the verdict on each message."""
        return {
            (report.internet_message_id, report.headers.subject): self.classified[key]
            for key, report in self.journaled.items()
            if key in self.classified
        }

    def is_at_rest(self, reports: int) -> bool:
        """Whether so many reports are judged, and every retraction has come to its end."""
        wanted = {v.retraction_id for v in self.classified.values() if v.retraction_id}
        return len(self.classified) >= reports and self.asked_for | wanted <= self.finished

    def hear(self, record: Record) -> None:
        """Take in one record."""
        self.events += 1
        body = whole_body(record)
        match record.properties.type:
            case MailJournaled.type:
                report = MailJournaled.model_validate(body)
                self.journaled[report.report_key] = report
            case MailClassified.type:
                verdict = MailClassified.model_validate(body)
                self.classified[verdict.report_key] = verdict
            case RetractMail.type:
                self.asked_for.add(str(RetractMail.model_validate(body).retraction_id))
            case CopySettled.type:
                self._settle(CopySettled.model_validate(body))
            case RetractionFinished.type:
                self.finished.add(str(RetractionFinished.model_validate(body).retraction_id))
                self.answered.add(record.properties.correlation_id)

    def _settle(self, copy: CopySettled) -> None:
        name = (copy.mailbox.lower(), copy.graph_message_id or copy.internet_message_id or "")
        known = self.settled.get(name)
        if known is None or known.settled_at <= copy.settled_at:
            self.settled[name] = copy


async def read(archive: PostgresArchive) -> Testimony:
    """Read the tenant's whole chain.

    Raises:
        TransientError: `database_unreachable`.
    """
    testimony = Testimony()
    async with archive.snapshot(TENANT) as (_, records):
        async for record in records:
            testimony.hear(record)
    return testimony
