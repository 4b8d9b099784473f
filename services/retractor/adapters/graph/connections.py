"""The tenants' connections to Graph: opened with the first call, replaced when access changes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from libs.common.clock import Clock
from libs.common.errors import PermanentError
from libs.common.tenants.model import GraphAccess, Tenant
from services.retractor.adapters.graph.clouds import Cloud, cloud_of
from services.retractor.adapters.graph.connection import GraphConnection
from services.retractor.adapters.graph.credentials import credential_of

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where Graph is, if not where the tenant's cloud has it; how many calls at a time."""

    graph_url: str | None = None
    authority_url: str | None = None
    ca_file: Path | None = None
    federated_token_file: Path | None = None
    calls_at_once: int = 64


@dataclass(frozen=True, slots=True)
class _Access:
    """What a connection was opened with. Another one needs another connection."""

    microsoft_tenant_id: str
    cloud: str
    graph: GraphAccess

    @classmethod
    def of(cls, tenant: Tenant) -> "_Access":
        return cls(tenant.microsoft_tenant_id, tenant.cloud, tenant.graph)


class Connections:
    """One connection for each tenant, by the configuration in force."""

    def __init__(
        self, tenant_of: Callable[[str], Tenant | None], endpoints: Endpoints, clock: Clock
    ) -> None:
        self._tenant_of = tenant_of
        self._endpoints = endpoints
        self._clock = clock
        self._open: dict[str, tuple[_Access, GraphConnection]] = {}
        self._retired: list[GraphConnection] = []

    def cloud(self, tenant: str) -> Cloud:
        """Return where a tenant's cloud is.

        Raises:
            PermanentError: `unknown_tenant`.
        """
        return self._cloud(self._known(tenant))

    def of(self, tenant: str) -> GraphConnection:
        """Return a tenant's connection; use it before anything is awaited, and never keep it.

        Raises:
            PermanentError: `unknown_tenant`.
        """
        known = self._known(tenant)
        access = _Access.of(known)
        opened = self._open.get(tenant)
        if opened is None or opened[0] != access:
            self._retire(tenant)
            opened = self._open[tenant] = access, self._connected(known)
        return opened[1]

    async def retire_outdated(self) -> None:
        """Close what the configuration in force does not want, once its calls have ended."""
        for tenant, (access, _) in list(self._open.items()):
            known = self._tenant_of(tenant)
            if known is None or _Access.of(known) != access:
                self._retire(tenant)
        for connection in list(self._retired):
            await connection.idle()
            await connection.close()
            self._retired.remove(connection)

    async def close(self) -> None:
        """Close all connections, at once."""
        for connection in [*self._retired, *(each for _, each in self._open.values())]:
            await connection.close()
        self._retired.clear()
        self._open.clear()

    def _retire(self, tenant: str) -> None:
        opened = self._open.pop(tenant, None)
        if opened is not None:
            self._retired.append(opened[1])
            _log.info("graph_access_changed", tenant=tenant)

    def _known(self, tenant: str) -> Tenant:
        known = self._tenant_of(tenant)
        if known is None:
            raise PermanentError("unknown_tenant")
        return known

    def _cloud(self, known: Tenant) -> Cloud:
        endpoints = self._endpoints
        return cloud_of(
            known.cloud, graph_url=endpoints.graph_url, authority_url=endpoints.authority_url
        )

    def _connected(self, known: Tenant) -> GraphConnection:
        cloud, endpoints = self._cloud(known), self._endpoints
        credential = credential_of(
            known, cloud, ca_file=endpoints.ca_file, token_file=endpoints.federated_token_file
        )
        return GraphConnection(
            cloud,
            credential,
            clock=self._clock,
            ca_file=endpoints.ca_file,
            connections=endpoints.calls_at_once,
        )
