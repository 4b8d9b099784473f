"""Rows become the domain's records. Text of senders is made fit for Postgres on the way in."""

import hashlib
from collections.abc import Mapping
from typing import Any, cast

from libs.common.broker.port import Message as Announcement
from libs.common.broker.publishing import Cause
from libs.common.contracts.retraction import Destination, Outcome
from libs.common.database.statements import statements
from services.retractor.domain.desired import CopyState, Wish
from services.retractor.domain.mail import Fingerprint, Message
from services.retractor.domain.retraction import (
    Copy,
    CopyProgress,
    Kind,
    Retraction,
    Search,
    Status,
    Trials,
)

SQL = statements("services.retractor.adapters.sql")

Row = Mapping[str, Any]


def storable(text: str | None) -> str | None:
    """Return text without what Postgres cannot hold (U+0000, lone surrogates)."""
    if text is None:
        return None
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def hashed(internet_message_id: str | None) -> str | None:
    """Return the hash that indexes use: a Message-ID may be longer than an index row."""
    if internet_message_id is None:
        return None
    return hashlib.sha256(str(storable(internet_message_id)).encode()).hexdigest()


def fingerprint(row: Row) -> Fingerprint:
    """Return a row's fingerprint."""
    return Fingerprint(row["from_address"], row["sent_at"], row["subject"])


def message(row: Row) -> Message:
    """Return a row of `messages`."""
    return Message(
        tenant=row["tenant"],
        message_key=row["message_key"],
        internet_message_id=row["internet_message_id"],
        fingerprint=fingerprint(row),
        conversation_index=row["conversation_index"],
    )


def retraction(row: Row) -> Retraction:
    """Return a row of `retractions`."""
    named = row["named_mailboxes"]
    return Retraction(
        tenant=row["tenant"],
        retraction_id=row["retraction_id"],
        kind=cast("Kind", row["kind"]),
        subject_id=row["subject_id"],
        publisher=row["publisher"],
        wish=Wish(Destination(row["destination"]), row["sequence"], row["automatic"]),
        body_sha256=row["body_sha256"],
        internet_message_id=row["internet_message_id"],
        message_key=row["message_key"],
        expected=fingerprint(row) if row["expected"] else None,
        colliding=row["colliding"],
        depth=row["depth"],
        dry_run=row["dry_run"],
        named_mailboxes=None if named is None else tuple(named),
        reason=row["reason"],
        requested_by=row["requested_by"],
        status=Status(row["status"]),
        status_reason=row["status_reason"],
        round=row["round"],
        accepted_at=row["accepted_at"],
        waiting_until=row["waiting_until"],
        standing_until=row["standing_until"],
        unreachable=tuple(row["unreachable"]),
        cause=_cause(row),
    )


def retraction_values(one: Retraction) -> tuple[object, ...]:
    """Return the arguments of `enter_retraction`."""
    expected = one.expected or Fingerprint(None, None, None)
    named = one.named_mailboxes
    return (
        one.tenant,
        one.retraction_id,
        one.kind,
        one.subject_id,
        one.publisher,
        one.wish.destination.value,
        one.wish.sequence,
        one.wish.automatic,
        one.body_sha256,
        storable(one.internet_message_id),
        hashed(one.internet_message_id),
        one.message_key,
        one.expected is not None,
        storable(expected.from_address),
        expected.sent_at,
        storable(expected.subject),
        one.colliding,
        one.depth,
        one.dry_run,
        None if named is None else [storable(mailbox) for mailbox in named],
        storable(one.reason),
        storable(one.requested_by),
        one.status.value,
        one.status_reason,
        one.round,
        one.accepted_at,
        one.waiting_until,
        one.standing_until,
        [storable(address) for address in one.unreachable],
        one.cause.message_id,
        one.cause.correlation_id,
        one.cause.publisher,
        one.cause.timestamp,
        one.cause.traceparent,
        one.cause.is_message,
    )


def retraction_changes(one: Retraction) -> tuple[object, ...]:
    """Return the arguments of `put_retraction`."""
    expected = one.expected or Fingerprint(None, None, None)
    return (
        one.tenant,
        one.retraction_id,
        storable(one.internet_message_id),
        hashed(one.internet_message_id),
        one.message_key,
        one.expected is not None,
        storable(expected.from_address),
        expected.sent_at,
        storable(expected.subject),
        one.colliding,
        one.status.value,
        one.status_reason,
        one.round,
        one.waiting_until,
        one.standing_until,
        [storable(address) for address in one.unreachable],
    )


def search(row: Row) -> Search:
    """Return a row of `searches`."""
    return Search(
        tenant=row["tenant"],
        retraction_id=row["retraction_id"],
        mailbox=row["mailbox"],
        internet_message_id=row["internet_message_id"],
        expected=fingerprint(row),
        depth=row["depth"],
        matched_by=row["matched_by"],
        role=row["role"],
        looks=row["looks"],
        trials=trials(row),
    )


def trials(row: Row) -> Trials:
    """Return what a search's or copy's row has been through."""
    return Trials(row["attempts"], row["throttles"], row["failing_since"])


def copy(row: Row) -> Copy:
    """Return a row of `copies`."""
    return Copy(
        tenant=row["tenant"],
        retraction_id=row["retraction_id"],
        copy_id=row["copy_id"],
        mailbox=row["mailbox"],
        internet_message_id=row["internet_message_id"],
        depth=row["depth"],
        matched_by=row["matched_by"],
        user_id=row["user_id"],
        graph_message_id=row["graph_message_id"],
        conversation_index=row["conversation_index"],
        received_at=row["received_at"],
        folder_before=row["folder_before"],
        was_read=row["was_read"],
        receipt_requested=row["receipt_requested"],
        categories=tuple(row["categories"]),
        target_folder=row["target_folder"],
        target_is_read=row["target_is_read"],
        progress=CopyProgress(row["progress"]),
        trials=trials(row),
        found_at=row["entered_at"],
        folder_after=row["folder_after"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        reason=row["reason"],
    )


def copy_values(one: Copy) -> tuple[object, ...]:
    """Return the arguments of `enter_copy`, all but the instant when it is due."""
    return (
        one.tenant,
        one.retraction_id,
        one.copy_id,
        storable(one.mailbox),
        storable(one.internet_message_id),
        one.depth,
        one.matched_by,
        one.user_id,
        one.graph_message_id,
        one.conversation_index,
        one.received_at,
        one.folder_before,
        one.was_read,
        one.receipt_requested,
        [storable(category) for category in one.categories],
        one.target_folder,
        one.target_is_read,
        one.progress.value,
        one.folder_after,
        one.outcome.value if one.outcome else None,
        one.reason,
    )


def copy_state(row: Row) -> CopyState:
    """Return a row of `copy_states`."""
    return CopyState(
        wish=Wish(Destination(row["destination"]), row["sequence"], row["automatic"]),
        exempt=row["exempt"],
        origin_folder=row["origin_folder"],
        origin_was_read=row["origin_was_read"],
        put_into=row["put_into"],
    )


def announcement(row: Row) -> Announcement:
    """Return a row of `announcements`."""
    return Announcement(
        message_id=row["message_id"],
        type=row["type"],
        body=row["body"].encode(),
        tenant=row["tenant"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        timestamp=row["made_at"],
        app_id=row["app_id"],
        traceparent=row["traceparent"],
    )


def _cause(row: Row) -> Cause:
    return Cause(
        message_id=row["cause_message_id"],
        correlation_id=row["cause_correlation_id"],
        publisher=row["cause_publisher"],
        timestamp=row["cause_timestamp"],
        traceparent=row["cause_traceparent"],
        is_message=row["cause_is_message"],
    )
