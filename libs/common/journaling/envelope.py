"""The text part of a journal report ([MS-XJRNL] 2.1; Exchange 2003's list of recipients)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from libs.common.journaling.addresses import Address, address_of, split_list
from libs.common.journaling.flags import Flag
from libs.common.journaling.limits import MAX_EXTRA_CHARS, MAX_EXTRAS, MAX_VALUE_BYTES
from libs.common.journaling.mail import Envelope, Extra, Recipient, Role

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60})[ \t]*:(.*)", re.DOTALL)
_ROLES: Mapping[str, Role] = {"to": "to", "cc": "cc", "bcc": "bcc", "recipient": "recipient"}
_SINGLE = frozenset({"sender", "on-behalf-of", "subject", "message-id"})
_EXTRAS: Mapping[str, str] = {
    "label": "label",
    "mailbox": "mailbox",
    "sentutc": "sent_utc",
    "receivedutc": "received_utc",
}
#: `Expanded: dl`, and what other products write instead.
_ANNOTATION = re.compile(
    r"(expanded|forwarded)(?:[ \t]+from)?[ \t]*:(.*)", re.IGNORECASE | re.DOTALL
)
#: Exchange 2003: one recipient a line follows.
_LIST = "recipients"


@dataclass
class EnvelopeText:
    """What the text part says, collected line by line."""

    single: dict[str, str] = field(default_factory=dict)
    recipients: list[Recipient] = field(default_factory=list)
    extras: dict[str, Extra] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    flags: set[Flag] = field(default_factory=set)

    @property
    def is_readable(self) -> bool:
        """Whether this can be a report at all: it names a sender or somebody who received it."""
        return "sender" in self.single or bool(self.recipients)

    @property
    def message_id(self) -> str | None:
        """The original's Message-ID, brackets included."""
        return self.single.get("message-id") or None

    def envelope(self) -> Envelope:
        """Return who sent the mail and who received it."""
        sender = address_of(self.single.get("sender", ""))
        behalf = self.single.get("on-behalf-of")
        return Envelope(
            sender=sender.text,
            on_behalf_of=address_of(behalf).text if behalf else None,
            recipients=tuple(self.recipients),
        )

    def all_extras(self) -> dict[str, Extra]:
        """Return what the grammar allows or does not know, for people to see."""
        extras = dict(self.extras)
        if self.unknown:
            extras["unknown_fields"] = dict(self.unknown)
        return extras


def read_envelope(text: str) -> EnvelopeText:
    """Read the report's lines. Only a line's first word counts, so no Subject makes a recipient.

    Lines end at LF alone: a sender's subject can hold every other character that Python's
    `splitlines` would take for a line end.
    """
    found = EnvelopeText()
    in_list = False
    for each in text.split("\n"):
        line = each.strip(" \t\r")
        if not line:
            in_list = False
        elif in_list:
            _add_recipients(found, "recipient", line)
        else:
            in_list = _read_line(found, line)
    if "sender" not in found.single:
        found.flags.add(Flag.MISSING_SENDER)
    elif address_of(found.single["sender"]).is_legacy:
        found.flags.add(Flag.LEGACY_ADDRESS)
    return found


def _read_line(found: EnvelopeText, line: str) -> bool:
    """Take one line; return whether a list of recipients begins after it."""
    match = _FIELD.fullmatch(line)
    if not match:
        found.flags.add(Flag.STRAY_TEXT)
        return False
    name, value = match.group(1).lower(), match.group(2).strip(" \t")
    if len(value) > MAX_VALUE_BYTES:
        found.flags.add(Flag.HEADER_TOO_LARGE)
        value = value[:MAX_VALUE_BYTES]
    role = _ROLES.get(name)
    if role:
        _add_recipients(found, role, value)
    elif name == _LIST and not value:
        found.flags.add(Flag.LEGACY)
        return True
    elif name in _SINGLE:
        _once(found, found.single, name, value)
    elif name in _EXTRAS:
        _once(found, found.extras, _EXTRAS[name], value[:MAX_EXTRA_CHARS])
    else:
        found.flags.add(Flag.UNKNOWN_FIELD)
        if len(found.unknown) < MAX_EXTRAS:
            found.unknown.setdefault(match.group(1), value[:MAX_EXTRA_CHARS])
    return False


def _once(
    found: EnvelopeText, fields: dict[str, str] | dict[str, Extra], name: str, value: str
) -> None:
    if name in fields:
        found.flags.add(Flag.REPEATED_FIELD)
    else:
        fields[name] = value


def _add_recipients(found: EnvelopeText, role: Role, value: str) -> None:
    if value and not any(character in value for character in ',;<"[('):
        # The shortest way for the commonest line.
        _add(found, role, address_of(value))
        return
    addresses, expanded, forwarded = _annotated(value)
    for address in addresses:
        _add(found, role, address, expanded, forwarded)
    if not addresses:
        found.flags.add(Flag.UNREADABLE_ADDRESS)


def _add(
    found: EnvelopeText,
    role: Role,
    address: Address,
    expanded: str | None = None,
    forwarded: str | None = None,
) -> None:
    if address.is_legacy:
        found.flags.add(Flag.LEGACY_ADDRESS)
    elif not address.is_internet:
        found.flags.add(Flag.UNREADABLE_ADDRESS)
    found.recipients.append(Recipient(address.text, role, expanded, forwarded))


def _annotated(value: str) -> tuple[list[Address], str | None, str | None]:
    """Return the addresses of a line, and the group and the redirecting address, if named."""
    pieces: list[str] = []
    notes: dict[str, str] = {}
    for piece in split_list(value):
        match = _ANNOTATION.fullmatch(piece)
        if match:
            notes.setdefault(match.group(1).lower(), address_of(match.group(2)).text)
        else:
            pieces.append(piece)
    return list(_whole_addresses(pieces)), notes.get("expanded"), notes.get("forwarded")


def _whole_addresses(pieces: list[str]) -> Iterator[Address]:
    """Yield each address; `Doe, John <john@contoso.example>` was split at the name's comma."""
    names: list[str] = []
    for piece in pieces:
        address = address_of(piece)
        if not address.is_internet and not address.is_legacy:
            names.append(piece)
            continue
        if names and not piece.endswith((">", "]")):
            yield address_of(", ".join(names))  # no name of this bare address: kept for itself
        names = []
        yield address
    if names:
        yield address_of(", ".join(names))
