"""Plain mail: copies that gateways and routing rules make, and what else arrives.

Source: Google Workspace routing rules (X-Gm-*); Postfix, Zimbra and amavis (X-Envelope-*).
"""

from libs.common.journaling.addresses import address_of, domain_of, internet_addresses
from libs.common.journaling.headers import Headers
from libs.common.journaling.limits import MAX_VALUE_BYTES
from libs.common.journaling.mail import Envelope, Recipient, Role
from libs.common.journaling.text import header_text

#: Without one of these, bytes are no mail that anybody could recognise.
_MAIL_HEADERS = ("from", "to", "subject", "date", "message-id", "received", "cc", "sender")
#: What the side that makes a copy adds: who received it really, and who sent it.
_RECIPIENT_HEADERS = ("x-gm-original-to", "x-envelope-to", "x-original-to")
_SENDER_HEADERS = ("x-envelope-from", "return-path")
_GATEWAY_HEADERS = ("x-gm-original-to", "x-envelope-to", "x-envelope-from")
_ADDRESS_HEADERS: tuple[Role, ...] = ("to", "cc", "bcc")
_VALIDATION_SENDER = "o365connectorvalidation"
_VALIDATION_SUBJECT = "test email for connector validation"


def is_mail(headers: Headers) -> bool:
    """Return whether there is a header block at all."""
    return any(name in headers for name in _MAIL_HEADERS)


def is_gateway_copy(headers: Headers) -> bool:
    """Return whether a gateway says that it made this copy."""
    return any(name in headers for name in _GATEWAY_HEADERS)


def is_validation(headers: Headers) -> bool:
    """Return whether Exchange Online sent this to try out a new connector.

    Both marks are asked for: mail that is taken for a test is not classified.
    """
    sender = next(iter(internet_addresses(headers.text("from") or "")), "").lower()
    subject = (headers.text("subject") or "").strip().lower()
    return (
        sender.startswith(_VALIDATION_SENDER + "@")
        and subject == _VALIDATION_SUBJECT
        and (headers.text("x-originatororg") or "").strip().lower() == domain_of(sender)
        and not is_gateway_copy(headers)
    )


def envelope(headers: Headers) -> Envelope:
    """Return who sent a plain copy and who received it, as far as its headers say."""
    return Envelope(sender=_sender(headers), recipients=_recipients(headers))


def _sender(headers: Headers) -> str:
    for name in _SENDER_HEADERS:
        value = headers.text(name)
        if value is not None:
            return address_of(value).text
    return next(iter(internet_addresses(headers.text("from") or "")), "")


def _recipients(headers: Headers) -> tuple[Recipient, ...]:
    for name in _RECIPIENT_HEADERS:
        if name in headers:
            return tuple(_named(headers, name, "recipient"))
    return tuple(
        recipient for name in _ADDRESS_HEADERS for recipient in _named(headers, name, name)
    )


def _named(headers: Headers, name: str, role: Role) -> list[Recipient]:
    return [
        Recipient(address, role)
        for value in headers.all(name)
        for address in internet_addresses(header_text(value[:MAX_VALUE_BYTES]))
    ]
