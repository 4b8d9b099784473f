"""Which way mail went, seen from the tenant."""

from collections.abc import Collection

from libs.common.contracts.mail import Direction
from libs.common.journaling.addresses import domain_of
from libs.common.journaling.mail import ParsedMail


def direction_of(mail: ParsedMail, domains: Collection[str]) -> Direction:
    """Judge by what Exchange stamped on a journaled original, else by the domains of the envelope.

    Mail from outside under one of the tenant's own addresses is inbound where Exchange says so:
    that is what a spoof looks like.
    """
    has_inside, has_outside = _recipients(mail, domains)
    stamped = mail.extras.get("directionality") if mail.kind == "journal" else None
    if stamped == "Incoming":
        return Direction.INBOUND
    if stamped == "Originating" or domain_of(mail.envelope.sender) in domains:
        if has_outside:
            return Direction.OUTBOUND
        return Direction.INTERNAL if has_inside else Direction.UNKNOWN
    return Direction.INBOUND if has_inside else Direction.UNKNOWN


def _recipients(mail: ParsedMail, domains: Collection[str]) -> tuple[bool, bool]:
    """Return whether any recipient is inside the tenant, and whether any is outside."""
    found = {domain_of(recipient.address) for recipient in mail.envelope.recipients}
    return any(domain in domains for domain in found), any(d not in domains for d in found)
