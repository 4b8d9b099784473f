"""What becomes of a verdict: the tenant's table, and the messages that follow from it."""

import hashlib
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from libs.common.contracts.mail import (
    Direction,
    Disposition,
    MailClassified,
    MailJournaled,
)
from libs.common.contracts.mail import Reason as PublishedReason
from libs.common.contracts.retraction import RetractMail, Severity
from libs.common.journaling.flags import Flag
from libs.common.tenants.model import Action, Tenant
from services.classifier.domain.circumstances import Circumstances, Person
from services.classifier.domain.verdict import RULES_VERSION, Verdict

#: Namespace of the retractions that policy asks for.
_RETRACTIONS = UUID("9b1c6c1e-51c3-4c0f-8a8d-0f3f0a3f7c11")
MAX_PUBLISHED_REASONS = 50
MAX_DETAIL_CHARACTERS = 500
MAX_REASON_CHARACTERS = 1000

#: What classifies: a user's report and a connector's validation mail are handled elsewhere.
CLASSIFIED_KINDS = frozenset(("journal", "copy", "unknown"))
_SENT_FROM_INSIDE = frozenset((Direction.INTERNAL, Direction.OUTBOUND))
_SEVERITIES: dict[Disposition, Severity] = {
    Disposition.MALICIOUS: "malicious",
    Disposition.SPOOF: "high",
    Disposition.SUSPICIOUS: "high",
    Disposition.SPAM: "normal",
    Disposition.BULK: "low",
    Disposition.NONE: "low",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and what the policy in force made of it: kept, so that a re-run says the same."""

    verdict: Verdict
    action: Action
    policy_version: str


def circumstances(event: MailJournaled, tenant: Tenant) -> Circumstances:
    """Return what is known about a journaled message; DNS answers come later.

    The receiver's headers are believed only in what Exchange Online's own journal report held.
    """
    return replace(
        of_tenant(tenant),
        is_receiver_trusted=is_receiver_trusted(event),
        envelope_sender=event.envelope.sender,
    )


def of_tenant(tenant: Tenant) -> Circumstances:
    """Return what is known before any message has come."""
    return Circumstances(
        own_domains=tenant.domains,
        protected_people=tuple(Person(p.name, p.addresses) for p in tenant.protected_people),
        blocked_senders=tenant.senders.block,
        allowed_senders=tenant.senders.allow,
    )


def is_receiver_trusted(event: MailJournaled) -> bool:
    """Say whether what stands in Microsoft's headers of the original is Microsoft's word."""
    return event.source.kind == "journal" and event.source.format == "exchange_online"


def is_unparsed(event: MailJournaled) -> bool:
    """Say whether ingest could not find out what the received bytes hold."""
    return event.source.kind == "unknown" or Flag.PARSE_FAILED in event.flags


def version_of(tenant: Tenant) -> str:
    """Return a name for the rules and the tenant's settings that verdicts are made by."""
    parts = (tenant.policy, tenant.senders, *tenant.protected_people)
    text = "\n".join((*(part.model_dump_json() for part in parts), *tenant.domains))
    return f"{RULES_VERSION}+{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def decide(verdict: Verdict, tenant: Tenant) -> Decision:
    """Look the disposition up in the tenant's table."""
    action: Action = getattr(tenant.policy, verdict.disposition.value)
    return Decision(verdict, action, version_of(tenant))


def announcements(
    event: MailJournaled, tenant: Tenant, decision: Decision
) -> tuple[MailClassified | RetractMail, ...]:
    """Return what to publish about this part of a report.

    Its first part says what the message is. Each part has its own retraction, which names the
    mailboxes of that part: a report with more recipients than fit has several.
    """
    retraction = _retraction(event, tenant, decision)
    retractions = (retraction,) if retraction else ()
    if event.part > 1:
        return retractions
    return (_classified(event, decision, retraction), *retractions)


def _classified(
    event: MailJournaled, decision: Decision, retraction: RetractMail | None
) -> MailClassified:
    verdict = decision.verdict
    return MailClassified(
        tenant=event.tenant,
        report_key=event.report_key,
        message_key=event.message_key,
        internet_message_id=event.internet_message_id,
        disposition=verdict.disposition,
        attributes=_attributes(event, verdict),
        reasons=tuple(
            PublishedReason(code=reason.code, detail=reason.detail[:MAX_DETAIL_CHARACTERS])
            for reason in verdict.reasons[:MAX_PUBLISHED_REASONS]
        ),
        score=verdict.score,
        retractable=verdict.retractable,
        action=decision.action,
        retraction_id=str(retraction.retraction_id) if retraction else None,
        policy_version=decision.policy_version,
    )


def _attributes(event: MailJournaled, verdict: Verdict) -> tuple[str, ...]:
    external = ("external",) if event.direction is Direction.INBOUND else ()
    return tuple(sorted({*verdict.attributes, *external}))


def _retraction(event: MailJournaled, tenant: Tenant, decision: Decision) -> RetractMail | None:
    mailboxes = _mailboxes(event, tenant)
    if decision.action == "no_action" or not decision.verdict.retractable or not mailboxes:
        return None
    disposition = decision.verdict.disposition
    codes = ", ".join(reason.code for reason in decision.verdict.reasons)
    name = f"{event.tenant}\n{event.report_key}\n{event.part}"
    return RetractMail(
        tenant=event.tenant,
        retraction_id=uuid5(_RETRACTIONS, name),
        message_key=event.message_key,
        internet_message_id=event.internet_message_id,
        headers=event.headers,
        mailboxes=mailboxes,
        destination=decision.action,
        reason=f"{disposition.value}: {codes}"[:MAX_REASON_CHARACTERS],
        requested_by="policy",
        severity=_SEVERITIES[disposition],
    )


def _mailboxes(event: MailJournaled, tenant: Tenant) -> tuple[str, ...]:
    """Return the tenant's recipients of this part, and once the copy that its sender kept."""
    addresses = [recipient.address.lower() for recipient in event.envelope.recipients]
    if event.part == 1 and event.direction in _SENT_FROM_INSIDE:
        addresses.append(event.envelope.sender.lower())
    own = set(tenant.domains)
    return tuple(dict.fromkeys(a for a in addresses if a.rpartition("@")[2] in own))
