"""The tenant and the mail that the tests use."""

from libs.graph_simulator.options import Options
from libs.graph_simulator.seed import ApplicationSeed, MailboxSeed, Seed, TenantSeed

TENANT = "11111111-2222-4333-8444-555555555555"
OTHER_TENANT = "22222222-3333-4444-8555-666666666666"
APP = "0b0e0a5e-0000-4000-8000-000000000001"
READER = "0b0e0a5e-0000-4000-8000-000000000002"
SCOPED = "0b0e0a5e-0000-4000-8000-000000000003"
SECRET = "s3cret~value"

ALICE = "alice@contoso.example"
BOB = "bob@contoso.example"
CAROL = "carol@contoso.example"
EVE = "eve@evil.example"
PHISH = "<phish+1%2B$c/d=e#f&g'h@evil.example>"

_KINDS = ("room", "on_premises", "soft_deleted", "no_mailbox", "out_of_scope", "out_of_policy")


def seed(options: Options | None = None) -> Seed:
    return Seed(
        tenants=(
            TenantSeed(
                id=TENANT,
                display_name="Contoso",
                domains=("contoso.example",),
                apps=(
                    ApplicationSeed(client_id=APP, client_secret=SECRET),
                    ApplicationSeed(client_id=READER, client_secret=SECRET, roles=("Mail.Read",)),
                    ApplicationSeed(
                        client_id=SCOPED,
                        client_secret=SECRET,
                        roles=(),
                        exchange_roles=("Mail.ReadWrite",),
                    ),
                ),
                mailboxes=(
                    MailboxSeed(
                        address=ALICE,
                        aliases=("a.smith@contoso.example",),
                        display_name="Alice Smith",
                        folders=("Projects/2026",),
                    ),
                    MailboxSeed(address=BOB, display_name="Bob"),
                    MailboxSeed(address=CAROL, display_name="Carol"),
                    MailboxSeed(address="info@contoso.example", kind="shared"),
                    *(
                        MailboxSeed(address=f"{kind}@contoso.example", kind=kind)  # type: ignore[arg-type]
                        for kind in _KINDS
                    ),
                ),
            ),
            TenantSeed(
                id=OTHER_TENANT,
                domains=("fabrikam.example",),
                apps=(ApplicationSeed(client_id=APP, client_secret=SECRET),),
                mailboxes=(MailboxSeed(address="dora@fabrikam.example"),),
            ),
        ),
        options=options or Options(),
    )


def mail(
    *,
    sender: str = EVE,
    to: tuple[str, ...] = (ALICE, BOB),
    message_id: str = PHISH,
    subject: str = "Your invoice",
    extra: str = "",
) -> bytes:
    text = (
        f"From: Eve Mallory <{sender}>\nTo: {', '.join(to)}\nSubject: {subject}\n"
        f"Date: Mon, 5 Jan 2026 08:59:00 +0000\nMessage-ID: {message_id}\n{extra}"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nPlease pay.\n"
    )
    return text.replace("\n", "\r\n").encode()
