"""The tenant of these tests: its configuration file, and what exists at Microsoft."""

from pathlib import Path
from typing import Any

import yaml

TENANT = "acme"
DOMAIN = "acme.example"
PEOPLE = tuple(
    f"{name}@{DOMAIN}" for name in ("ann", "ben", "cleo", "dan", "eva", "finn", "gus", "hana")
)
SOC = f"soc@{DOMAIN}"
MICROSOFT_TENANT_ID = "11111111-2222-4333-8444-555555555555"
JOURNAL_TOKEN = "mzxw6ytboi2gk3tfon2w4zdfoi"
JOURNAL_ADDRESS = f"{JOURNAL_TOKEN}@journaling.undeliver.example"
_CLIENT_ID = "0b0e0a5e-0000-4000-8000-000000000001"
_SECRET = "not-the-secret-of-anybody"


def write_configuration(folder: Path) -> Path:
    """Write what the tenant's operator would have written, and return the file."""
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
            "tenants": [
                {
                    "id": TENANT,
                    "microsoft_tenant_id": MICROSOFT_TENANT_ID,
                    "domains": [DOMAIN],
                    "journal": {"token": JOURNAL_TOKEN},
                    "graph": {"client_id": _CLIENT_ID, "client_secret": "file:graph-secret"},
                    "policy": {"malicious": "soft_delete"},
                    "protected_mailboxes": [SOC],
                }
            ],
        },
    )


def write_seed(folder: Path, *, journal_port: int | None = None, latency_ms: float = 0.0) -> Path:
    """Write the simulator's file; with a port, the simulator sends the journal reports itself."""
    tenant: dict[str, Any] = {
        "id": MICROSOFT_TENANT_ID,
        "domains": [DOMAIN],
        "apps": [{"client_id": _CLIENT_ID, "client_secret": _SECRET}],
        "mailboxes": [{"address": address} for address in (*PEOPLE, SOC)],
    }
    if journal_port is not None:
        tenant["journal"] = {"host": "127.0.0.1", "port": journal_port, "address": JOURNAL_ADDRESS}
    return _write(
        folder / "seed.yaml",
        {"tenants": [tenant], "options": {"latency": {"median_ms": latency_ms, "sigma": 0.5}}},
    )


def _write(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
