"""The tenants of these tests: their configuration file, and what exists at Microsoft."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

JOURNAL_DOMAIN = "journaling.undeliver.example"
_PEOPLE = ("ann", "ben", "cleo", "dan", "eva", "finn", "gus", "hana")
_CLIENT_ID = "0b0e0a5e-0000-4000-8000-000000000001"
_SECRET = "not-the-secret-of-anybody"


@dataclass(frozen=True)
class Tenant:
    """One customer."""

    id: str
    microsoft_tenant_id: str
    journal_token: str

    @property
    def domain(self) -> str:
        return f"{self.id}.example"

    @property
    def people(self) -> tuple[str, ...]:
        return tuple(f"{name}@{self.domain}" for name in _PEOPLE)

    @property
    def soc(self) -> str:
        """The mailbox that nothing may touch."""
        return f"soc@{self.domain}"

    @property
    def journal_address(self) -> str:
        return f"{self.journal_token}@{JOURNAL_DOMAIN}"


ACME = Tenant("acme", "11111111-2222-4333-8444-555555555555", "mzxw6ytboi2gk3tfon2w4zdfoi")
GLOBEX = Tenant("globex", "22222222-3333-4444-8555-666666666666", "nbswy3dpfqqho33snrscc23bnu")

TENANT, DOMAIN, PEOPLE, SOC = ACME.id, ACME.domain, ACME.people, ACME.soc
JOURNAL_ADDRESS = ACME.journal_address


def write_configuration(folder: Path, tenants: Sequence[Tenant] = (ACME,)) -> Path:
    """Write what the tenants' operator would have written, and return the file."""
    secret = folder / "graph-secret"
    secret.touch(mode=0o600)
    secret.write_text(_SECRET, encoding="ascii")
    return _write(
        folder / "undeliver.yaml",
        {
            "service_domain": "undeliver.example",
            "publishers": [
                {"name": "cli", "types": ["mail.retract.v1", "retraction.*"]},
                {
                    "name": "soar",
                    "types": ["mail.retract.v1"],
                    "tenants": [TENANT],
                    "destinations": ["junk"],
                },
            ],
            "tenants": [_configured(tenant) for tenant in tenants],
        },
    )


def _configured(tenant: Tenant) -> dict[str, Any]:
    return {
        "id": tenant.id,
        "microsoft_tenant_id": tenant.microsoft_tenant_id,
        "domains": [tenant.domain],
        "journal": {"token": tenant.journal_token},
        "graph": {"client_id": _CLIENT_ID, "client_secret": "file:graph-secret"},
        "policy": {"malicious": "soft_delete"},
        "protected_mailboxes": [tenant.soc],
    }


def write_seed(
    folder: Path,
    *,
    journal_port: int | None = None,
    latency_ms: float = 0.0,
    tenants: Sequence[Tenant] = (ACME,),
) -> Path:
    """Write the simulator's file; with a port, the simulator sends the journal reports itself."""
    return _write(
        folder / "seed.yaml",
        {
            "tenants": [_simulated(tenant, journal_port) for tenant in tenants],
            "options": {"latency": {"median_ms": latency_ms, "sigma": 0.5}},
        },
    )


def _simulated(tenant: Tenant, journal_port: int | None) -> dict[str, Any]:
    simulated: dict[str, Any] = {
        "id": tenant.microsoft_tenant_id,
        "domains": [tenant.domain],
        "apps": [{"client_id": _CLIENT_ID, "client_secret": _SECRET}],
        "mailboxes": [{"address": address} for address in (*tenant.people, tenant.soc)],
    }
    if journal_port is not None:
        simulated["journal"] = {
            "host": "127.0.0.1",
            "port": journal_port,
            "address": tenant.journal_address,
        }
    return simulated


def _write(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
