"""Graph's message resource becomes our record. Whatever it holds was written by senders."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from services.retractor.domain.mail import Fingerprint, FoundCopy

#: Graph v1.0, message; PidTagInReplyToId and PidTagInternetReferences as extended properties.
SELECT = (
    "id,internetMessageId,parentFolderId,conversationId,conversationIndex,subject,sentDateTime,"
    "receivedDateTime,isRead,isReadReceiptRequested,categories,from,toRecipients,ccRecipients,"
    "bccRecipients"
)
IN_REPLY_TO = "String 0x1042"
REFERENCES = "String 0x1039"
EXPAND = f"singleValueExtendedProperties($filter=id eq '{IN_REPLY_TO}' or id eq '{REFERENCES}')"
_MESSAGE_IDS = re.compile(r"<[^<>\s]{1,990}>")
_MAX_REFERENCES = 200
_MAX_PARTICIPANTS = 2000


def found_copy(item: Mapping[str, Any]) -> FoundCopy | None:
    """Return an item as we know it; None for what has no id or folder (Teams' chat items)."""
    graph_message_id, folder_id = _text(item, "id"), _text(item, "parentFolderId")
    if not graph_message_id or not folder_id:
        return None
    properties = _extended(item)
    return FoundCopy(
        graph_message_id=graph_message_id,
        internet_message_id=_text(item, "internetMessageId"),
        folder_id=folder_id,
        fingerprint=Fingerprint(
            from_address=_address(item.get("from")),
            sent_at=_instant(item, "sentDateTime"),
            subject=_text(item, "subject"),
        ),
        received_at=_instant(item, "receivedDateTime"),
        is_read=item.get("isRead") is True,
        receipt_requested=item.get("isReadReceiptRequested") is True,
        categories=tuple(each for each in _list(item, "categories") if isinstance(each, str)),
        conversation_id=_text(item, "conversationId"),
        conversation_index=_index(item),
        in_reply_to=_first_message_id(properties.get(IN_REPLY_TO.lower())),
        references=_message_ids(properties.get(REFERENCES.lower())),
        participants=_participants(item),
    )


def _text(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) else None


def _list(item: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = item.get(name)
    return value if isinstance(value, list) else []


def _instant(item: Mapping[str, Any], name: str) -> datetime | None:
    text = _text(item, name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _address(recipient: object) -> str | None:
    if not isinstance(recipient, dict):
        return None
    address = recipient.get("emailAddress")
    text = address.get("address") if isinstance(address, dict) else None
    return text.strip().lower() if isinstance(text, str) and text.strip() else None


def _participants(item: Mapping[str, Any]) -> tuple[str, ...]:
    everybody = [item.get("from")]
    for name in ("toRecipients", "ccRecipients", "bccRecipients"):
        everybody += _list(item, name)
    found = (_address(one) for one in everybody[:_MAX_PARTICIPANTS])
    return tuple(sorted({one for one in found if one and "@" in one}))


def _index(item: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode((_text(item, "conversationIndex") or "")[:4000], validate=True)
    except (binascii.Error, ValueError):
        return b""


def _extended(item: Mapping[str, Any]) -> dict[str, str]:
    properties = {}
    for one in _list(item, "singleValueExtendedProperties"):
        if isinstance(one, dict) and isinstance(one.get("id"), str):
            properties[one["id"].lower()] = str(one.get("value") or "")
    return properties


def _message_ids(text: str | None) -> tuple[str, ...]:
    return tuple(_MESSAGE_IDS.findall((text or "")[:100_000])[-_MAX_REFERENCES:])


def _first_message_id(text: str | None) -> str | None:
    found = _message_ids(text)
    return found[0] if found else None
