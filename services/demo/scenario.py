"""The demonstration's tenant: who works there, what its policy is, who may speak."""

from pathlib import Path
from secrets import token_urlsafe

from libs.common.tenants.model import Configuration
from libs.graph_simulator.options import Latency, Options
from libs.graph_simulator.seed import ApplicationSeed, JournalSeed, MailboxSeed, Seed, TenantSeed

TENANT = "northwind"
DOMAIN = "northwind.example"
MICROSOFT_TENANT_ID = "0d7c5f3e-8f0e-4b1e-9a55-4c1d1a2b3c4d"
#: Its mail is never touched: analysts must still see what was reported.
SOC = f"soc@{DOMAIN}"

_CLIENT_ID = "7a1e2f90-55aa-4f0b-8d7e-6b5c4d3e2f10"
_TOKEN = "mzxw6ytboi2gk3tfon2w4zdfoi"  # noqa: S105 - an address of this demonstration alone
_SERVICE_DOMAIN = "undeliver.example"
_PEOPLE = {
    "ada.byron": "Ada Byron",
    "ben.okafor": "Ben Okafor",
    "carla.mendes": "Carla Mendes",
    "dan.fischer": "Daniel Fischer",
    "emi.sato": "Emi Sato",
    "farid.nazari": "Farid Nazari",
    "grace.liu": "Grace Liu",
    "hugo.lindqvist": "Hugo Lindqvist",
    "ines.costa": "Ines Costa",
    "jonas.weber": "Jonas Weber",
}
#: What a call to Graph usually takes is some hundred milliseconds; less keeps the show short.
_LATENCY = Latency(median_ms=25, sigma=0.3)


def new_secret(folder: Path) -> Path:
    """Write the application's secret to a file that only its owner reads, and return its path."""
    path = folder / "client-secret"
    path.touch(mode=0o600)
    path.write_text(token_urlsafe(32), encoding="ascii")
    return path


def configuration(secret: Path) -> Configuration:
    """Return the configuration: what the operator of this tenant would have written."""
    return Configuration.model_validate(
        {
            "service_domain": _SERVICE_DOMAIN,
            "publishers": [
                {"name": "cli", "types": ["mail.retract.v1", "retraction.*"]},
                {"name": "soar", "types": ["mail.retract.v1"], "tenants": [TENANT]},
            ],
            "tenants": [
                {
                    "id": TENANT,
                    "microsoft_tenant_id": MICROSOFT_TENANT_ID,
                    "domains": [DOMAIN],
                    "journal": {"token": _TOKEN},
                    "graph": {"client_id": _CLIENT_ID, "client_secret": f"file:{secret}"},
                    "policy": {
                        "malicious": "soft_delete",
                        "spoof": "junk",
                        "suspicious": "junk",
                        "spam": "junk",
                    },
                    "protected_mailboxes": [SOC],
                    "protected_people": [
                        {"name": "Daniel Fischer", "addresses": [f"dan.fischer@{DOMAIN}"]}
                    ],
                }
            ],
        }
    )


def seed(secret: Path, smtp_port: int) -> Seed:
    """Return what exists on Microsoft's side, its journal rule included."""
    shared = [
        MailboxSeed(address=f"accounts@{DOMAIN}", display_name="Accounts", kind="shared"),
        MailboxSeed(address=SOC, display_name="Security Operations", kind="shared"),
    ]
    people = [
        MailboxSeed(address=f"{local}@{DOMAIN}", display_name=name)
        for local, name in _PEOPLE.items()
    ]
    application = ApplicationSeed(
        client_id=_CLIENT_ID, client_secret=secret.read_text(encoding="ascii")
    )
    return Seed(
        tenants=(
            TenantSeed(
                id=MICROSOFT_TENANT_ID,
                display_name="Northwind",
                domains=(DOMAIN,),
                apps=(application,),
                mailboxes=(*people, *shared),
                journal=JournalSeed(
                    host="127.0.0.1",
                    port=smtp_port,
                    address=f"{_TOKEN}@journaling.{_SERVICE_DOMAIN}",
                ),
            ),
        ),
        options=Options(latency=_LATENCY),
    )
