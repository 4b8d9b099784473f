"""What is announced of a received message: contracts made from what was parsed."""

from collections.abc import Iterator, Sequence

from libs.common.contracts.mail import (
    MAX_RECIPIENTS_PER_MESSAGE,
    Direction,
    Envelope,
    KeyHeaders,
    MailHeld,
    MailJournaled,
    RawMail,
    Recipient,
    RecipientRole,
    Source,
)
from libs.common.journaling import mail as parsed_mail
from libs.common.journaling.flags import Flag
from libs.common.journaling.keys import message_key
from libs.common.journaling.mail import ParsedMail
from services.ingest.domain.reception import Entry

#: Why mail is kept and not handed on, by its kind.
_HELD_KINDS = {"validation": "connector_validation", "report": "user_report"}
NO_TENANT = "no_tenant"


def held_reason(mail: ParsedMail, tenant: str | None) -> str | None:
    """Return why a message waits for a person, or None where it goes on.

    A connector's test is nobody's mail, and a user's report is not proof of a delivery: taken for
    one, it would let a user have mail judged that never arrived.
    """
    return NO_TENANT if tenant is None else _HELD_KINDS.get(mail.kind)


def held(entry: Entry, mail: ParsedMail, reason: str, flags: Sequence[Flag]) -> MailHeld:
    """Return the announcement of mail that waits for a person."""
    return MailHeld(
        tenant=entry.tenant,
        report_key=entry.report_key,
        reason=reason,
        source=_source(entry, mail),
        store_key=entry.reception.store_key,
        sha256=entry.reception.sha256,
        size_bytes=entry.reception.size_bytes,
        flags=tuple(flags),
        received_at=entry.reception.received_at,
    )


def journaled(
    entry: Entry,
    mail: ParsedMail,
    flags: Sequence[Flag],
    *,
    tenant: str,
    direction: Direction,
    region: str,
) -> Iterator[MailJournaled]:
    """Yield the announcement of one report, part by part; no recipient is left out."""
    key = message_key(tenant, mail.message_id, mail.content_sha256)
    parts = _in_parts(mail.envelope.recipients)
    for number, recipients in enumerate(parts, start=1):
        yield MailJournaled(
            tenant=tenant,
            report_key=entry.report_key,
            message_key=key,
            internet_message_id=mail.message_id,
            part=number,
            parts=len(parts),
            envelope=Envelope(
                sender=mail.envelope.sender,
                on_behalf_of=mail.envelope.on_behalf_of,
                recipients=tuple(_recipient(each) for each in recipients),
            ),
            source=_source(entry, mail),
            raw=_raw(entry, mail),
            headers=KeyHeaders(
                from_=mail.headers.from_,
                to=mail.headers.to,
                subject=mail.headers.subject,
                date=mail.headers.date,
            ),
            thread_index=mail.thread.thread_index,
            in_reply_to=mail.thread.in_reply_to,
            references=mail.thread.references,
            direction=direction,
            flags=tuple(flags),
            region=region,
            received_at=entry.reception.received_at,
        )


def _in_parts(
    recipients: Sequence[parsed_mail.Recipient],
) -> list[Sequence[parsed_mail.Recipient]]:
    step = MAX_RECIPIENTS_PER_MESSAGE
    return [recipients[start : start + step] for start in range(0, max(1, len(recipients)), step)]


def _recipient(recipient: parsed_mail.Recipient) -> Recipient:
    return Recipient(
        address=recipient.address,
        role=RecipientRole(recipient.role),
        expanded_from=recipient.expanded_from,
        forwarded_from=recipient.forwarded_from,
    )


def _source(entry: Entry, mail: ParsedMail) -> Source:
    reception, encryption = entry.reception, entry.reception.encryption
    return Source(
        kind=mail.kind,
        format=mail.format,
        listener=reception.listener,
        peer=reception.peer,
        tls=encryption is not None,
        tls_version=None if encryption is None else encryption.version,
        tls_cipher=None if encryption is None else encryption.cipher,
        proof=reception.proof,
    )


def _raw(entry: Entry, mail: ParsedMail) -> RawMail:
    return RawMail(
        store_key=entry.reception.store_key,
        sha256=entry.reception.sha256,
        size_bytes=entry.reception.size_bytes,
        original_offset=entry.reception.original_offset,
        original_size_bytes=mail.original.size_bytes,
        original_sha256=mail.original.sha256,
    )
