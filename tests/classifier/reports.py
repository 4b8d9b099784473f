"""Journaled mail for tests of handlers and policy."""

from datetime import UTC, datetime
from hashlib import sha256

from libs.common.contracts.mail import (
    Direction,
    Envelope,
    KeyHeaders,
    MailJournaled,
    RawMail,
    Recipient,
    RecipientRole,
    Source,
)
from libs.common.tenants.model import GraphAccess, Journal, Policy, ProtectedPerson, Tenant

WHEN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
POLICY = Policy(malicious="soft_delete", spoof="junk", suspicious="junk", spam="junk")


def tenant(policy: Policy = POLICY, **more) -> Tenant:
    """Return the tenant `acme`."""
    return Tenant(
        id="acme",
        microsoft_tenant_id="00000000-0000-0000-0000-000000000001",
        domains=("northwind.example", "north.example"),
        journal=Journal(token="a" * 26),
        graph=GraphAccess(client_id="x", workload_identity=True),
        policy=policy,
        protected_people=(
            ProtectedPerson(name="Daniel Fischer", addresses=("dan@northwind.example",)),
        ),
        **more,
    )


def journaled(
    original: bytes = b"",
    *,
    recipients: tuple[str, ...] = ("carla@northwind.example", "x@fabrikam.example"),
    kind: str = "journal",
    format_: str | None = "exchange_online",
    direction: Direction = Direction.INBOUND,
    sender: str = "lena.vogt@fabrikam.example",
    **more,
) -> MailJournaled:
    """Return the report of a message whose raw bytes are `wrapper + original`."""
    whole = WRAPPER + original
    return MailJournaled(
        **{
            "tenant": "acme",
            "report_key": "a" * 64,
            "message_key": "b" * 64,
            "internet_message_id": "<1@fabrikam.example>",
            "envelope": Envelope(
                sender=sender,
                recipients=tuple(
                    Recipient(address=a, role=RecipientRole.RECIPIENT) for a in recipients
                ),
            ),
            "source": Source(
                kind=kind, format=format_, listener="default", peer="192.0.2.1", tls=True,
                proof="token",
            ),
            "raw": RawMail(
                store_key=store_key(original),
                sha256=sha256(whole).hexdigest(),
                size_bytes=len(whole),
                original_offset=len(WRAPPER),
                original_size_bytes=len(original),
                original_sha256=sha256(original).hexdigest(),
            ),
            "headers": KeyHeaders(from_="lena.vogt@fabrikam.example", subject="Hi", date=WHEN),
            "direction": direction,
            "received_at": WHEN,
            **more,
        }
    )  # fmt: skip


def store_key(original: bytes) -> str:
    """Return the key under which the raw bytes are kept."""
    return f"acme/2026/01/05/{sha256(WRAPPER + original).hexdigest()}"


#: What stands before the original: must not be judged.
WRAPPER = b"X-MS-Journal-Report:\r\n\r\nverify your account\r\n\r\n"
