"""Taking in one message: known whose it is, stored, entered, announced, in this order."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from uuid import UUID, uuid5

import structlog

from libs.common.blobs.keys import blob_key
from libs.common.blobs.port import Blobs
from libs.common.broker.publishing import Cause
from libs.common.clock import Clock
from libs.common.contracts import Contract
from libs.common.contracts.mail import MAX_RECIPIENTS_PER_MESSAGE
from libs.common.errors import TransientError
from libs.common.journaling.flags import Flag
from libs.common.journaling.keys import report_key
from libs.common.journaling.mail import ParsedMail
from services.ingest import metrics
from services.ingest.domain import publications
from services.ingest.domain.direction import direction_of
from services.ingest.domain.reception import Entry, ReceivedMail, Reception
from services.ingest.domain.tenancy import Tenancy
from services.ingest.ports import Parser, PublishFor, ReportKeys

#: Of the ids of first causes, which are functions of report keys.
_CAUSES = UUID("0c9c6a34-9d0a-4b8e-8b8b-0a1de7a3f4f2")
_PUBLISHER = "ingest"
_TOKEN_PROOF = "token"  # noqa: S105 - a kind of proof, no secret
_NO_PROOF = "none"

Outcome = Literal["published", "held", "duplicate", "conflicting"]

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Desk:
    """What taking in a message needs; the same for all."""

    parser: Parser
    blobs: Blobs
    report_keys: ReportKeys
    publish_for: PublishFor
    clock: Clock
    #: The configuration in force: asked once for each message.
    tenancy: Callable[[], Tenancy]


async def receive_mail(mail: ReceivedMail, desk: Desk) -> None:
    """Take in one message for each tenant that it was sent to. See `Accept`.

    A tenant that has left since its recipient was accepted has nothing stored any more: the client
    keeps the message (`tenant_removed`), and hears of the next attempt what a former token hears.
    """
    tenancy = desk.tenancy()
    if removed := [each for each in mail.tenants if each is not None and not tenancy.has(each)]:
        raise TransientError("tenant_removed", ", ".join(removed))
    domains = frozenset[str]().union(*map(tenancy.domains_of, mail.tenants))
    parsed = await desk.parser.parse(mail.content, domains)
    for tenant in mail.tenants:
        outcome, entry = await _receive_for(tenant, mail, parsed, desk, tenancy)
        metrics.MAILS.labels(parsed.kind, outcome).inc()
        _log.info(
            "mail_accepted",
            tenant=tenant,
            outcome=outcome,
            kind=parsed.kind,
            report_key=entry.report_key,
            store_key=entry.reception.store_key,
            size_bytes=len(mail.content),
            recipients=len(parsed.envelope.recipients),
            flags=[flag.value for flag in parsed.flags],
        )
    metrics.RECEIVED_BYTES.inc(len(mail.content))


async def _receive_for(
    tenant: str | None, mail: ReceivedMail, parsed: ParsedMail, desk: Desk, tenancy: Tenancy
) -> tuple[Outcome, Entry]:
    """Store, enter, announce. Run again, it finds its entry and announces the same, or nothing."""
    flags = parsed.flags
    fresh = _entry(tenant, mail, parsed, parsed.report_message_id)
    entry = await _entered(fresh, mail, parsed, desk)
    if not entry.is_same_report(fresh) and parsed.report_message_id is not None:
        # Somebody reuses a report's Message-ID. Each has its own place, and none is lost.
        flags = (*flags, Flag.CONFLICTING_REPORT_KEY)
        entry = await _entered(_entry(tenant, mail, parsed, None), mail, parsed, desk)
    if entry.published_at is not None:
        return "duplicate", entry
    await _publish(entry, parsed, flags, desk, tenancy)
    if Flag.CONFLICTING_REPORT_KEY in flags:
        return "conflicting", entry
    is_held = publications.held_reason(parsed, tenant) is not None
    return ("held" if is_held else "published"), entry


def _entry(
    tenant: str | None, mail: ReceivedMail, parsed: ParsedMail, report_message_id: str | None
) -> Entry:
    decoded = parsed.original.decoded
    stored_sha256 = mail.sha256 if decoded is None else sha256(_stored(mail, parsed)).hexdigest()
    return Entry(
        report_key=report_key(tenant or "", report_message_id, mail.sha256),
        tenant=tenant,
        original_sha256=parsed.original.sha256,
        envelope_sha256=parsed.envelope_sha256,
        reception=Reception(
            listener=mail.listener,
            peer=mail.peer,
            encryption=mail.encryption,
            proof=_NO_PROOF if tenant is None else _TOKEN_PROOF,
            store_key=blob_key(tenant, mail.received_at, stored_sha256),
            sha256=mail.sha256,
            size_bytes=len(mail.content),
            original_offset=parsed.original.offset if decoded is None else len(mail.content),
            received_at=mail.received_at,
        ),
    )


def _stored(mail: ReceivedMail, parsed: ParsedMail) -> bytes:
    """Return what is kept: the received bytes, and behind them an original that was encoded.

    So the original is a slice of what is kept in every case.
    """
    decoded = parsed.original.decoded
    return mail.content if decoded is None else mail.content + decoded


async def _entered(entry: Entry, mail: ReceivedMail, parsed: ParsedMail, desk: Desk) -> Entry:
    """Return what is in the book; the bytes are kept before it says so."""
    known = await desk.report_keys.find(entry.report_key)
    if known is not None:
        return known
    await desk.blobs.put(entry.reception.store_key, _stored(mail, parsed))
    return await desk.report_keys.enter(entry)


async def _publish(
    entry: Entry, parsed: ParsedMail, flags: Sequence[Flag], desk: Desk, tenancy: Tenancy
) -> None:
    cause_id = str(uuid5(_CAUSES, entry.report_key))
    cause = Cause(
        message_id=cause_id,
        correlation_id=cause_id,
        publisher=_PUBLISHER,
        timestamp=entry.reception.received_at,
        is_message=False,
    )
    if len(parsed.envelope.recipients) > MAX_RECIPIENTS_PER_MESSAGE:
        # A hundred thousand recipients become objects one by one: not on the loop.
        contracts = await asyncio.to_thread(_contracts, entry, parsed, flags, tenancy)
    else:
        contracts = _contracts(entry, parsed, flags, tenancy)
    await desk.publish_for(cause)(*contracts)
    try:
        await desk.report_keys.mark_published(entry.report_key, desk.clock.now())
    except TransientError as error:
        # It is announced, so the client may forget it. A repetition announces the same again.
        _log.warning("report_not_marked", report_key=entry.report_key, reason=error.reason)


def _contracts(
    entry: Entry, parsed: ParsedMail, flags: Sequence[Flag], tenancy: Tenancy
) -> Sequence[Contract]:
    reason = publications.held_reason(parsed, entry.tenant)
    if entry.tenant is None or reason is not None:
        return [publications.held(entry, parsed, reason or publications.NO_TENANT, flags)]
    direction = direction_of(parsed, tenancy.domains_of(entry.tenant))
    return list(
        publications.journaled(
            entry, parsed, flags, tenant=entry.tenant, direction=direction, region=tenancy.region
        )
    )
