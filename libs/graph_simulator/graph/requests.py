"""A request to Graph and its answer, whether they came alone or inside a batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from libs.graph_simulator.world.directory import Application, Tenant

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """One operation asked for. Query and header names are in lower case."""

    method: str
    version: str
    #: Path and query after the version, as sent.
    url: str
    headers: Mapping[str, str]
    body: object | None = None
    size_bytes: int = 0
    is_inner: bool = False

    @property
    def path(self) -> str:
        """The path alone, without a slash at its ends."""
        return self.url.partition("?")[0].strip("/")

    @property
    def segments(self) -> tuple[str, ...]:
        """The decoded parts of the path; `users('x')` counts as two."""
        parts: list[str] = []
        for part in self.path.split("/"):
            name, bracket, key = unquote(part).partition("('")
            parts.append(name)
            if bracket and key.endswith("')"):
                parts.append(key[:-2].replace("''", "'"))
        return tuple(parts)

    @property
    def query(self) -> dict[str, str]:
        """The query; `%24filter` and `$filter` are one."""
        pairs = parse_qsl(self.url.partition("?")[2], keep_blank_values=True, max_num_fields=50)
        return {name.lower(): value for name, value in pairs}

    @property
    def preferences(self) -> str:
        """The Prefer header in lower case, without quotation marks and blanks."""
        return self.headers.get("prefer", "").lower().replace('"', "").replace(" ", "")

    @property
    def wants_immutable_ids(self) -> bool:
        """Whether `Prefer: IdType="ImmutableId"` was sent with this very request."""
        return "idtype=immutableid" in self.preferences.split(",")


@dataclass(slots=True)
class GraphResponse:
    """An answer. `body` is JSON, raw bytes, or nothing."""

    status: int
    body: Json | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: Failure injection: the body is sent cut in half.
    is_truncated: bool = False
    #: Failure injection: a batch leaves this answer out.
    is_omitted: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the token says, and what that application may do."""

    tenant: Tenant
    application: Application

    def may(self, *roles: str) -> bool:
        """Whether any of these is granted, in Entra or in Exchange."""
        granted = {*self.application.roles, *self.application.exchange_roles}
        return not granted.isdisjoint(roles)


@dataclass(slots=True)
class Exchange:
    """One HTTP request, with all operations that it holds."""

    base_url: str
    request_id: str
    client_request_id: str
    arrived_at: float
    caller: Caller
    #: Told to wait: (application, mailbox) and for how long; counts from when the answer leaves.
    refusals: list[tuple[tuple[str, str], float]] = field(default_factory=list)
