"""One operation on its way through the simulator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from libs.graph_simulator.graph.errors import bad_request
from libs.graph_simulator.graph.requests import Exchange, GraphRequest, GraphResponse
from libs.graph_simulator.world.directory import Tenant, World
from libs.graph_simulator.world.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class Route:
    """A path with its method. `{user}` and its like stand for any segment."""

    method: str
    pattern: tuple[str, ...]
    #: Name in statistics, rules and latencies.
    operation: str
    answer: Callable[["Call"], GraphResponse]
    #: Any one of these is enough.
    roles: tuple[str, ...]

    @property
    def is_mail(self) -> bool:
        """Whether Outlook answers it: mailbox limits count, and so do the kinds of mailboxes."""
        return len(self.pattern) > 2 and self.pattern[0] == "users"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has found its route and its mailbox."""

    world: World
    exchange: Exchange
    request: GraphRequest
    route: Route
    parameters: Mapping[str, str]
    #: The mailbox it is about; None for the directory.
    target: Mailbox | None
    #: Whether ids are wanted that survive a move.
    immutable: bool

    @property
    def tenant(self) -> Tenant:
        """The tenant that the token is for."""
        return self.exchange.caller.tenant

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox, where the route has one."""
        if self.target is None:
            raise LookupError(self.route.operation)
        return self.target

    @property
    def user(self) -> str:
        """The address for statistics and rules; empty for the directory."""
        return self.target.address if self.target else ""

    @property
    def context(self) -> str:
        """The start of `@odata.context`."""
        return f"{self.exchange.base_url}/{self.request.version}/$metadata#"

    def json_body(self) -> dict[str, object]:
        """Return the body. GraphError unless it is a JSON object."""
        if not isinstance(self.request.body, dict):
            raise bad_request("Unable to read JSON request payload.")
        return self.request.body

    def answer(self, status: int, body: dict[str, object] | None = None) -> GraphResponse:
        """Write an answer, with `Preference-Applied` where a preference was."""
        headers = {}
        if self.immutable and self.route.is_mail:
            headers["Preference-Applied"] = "IdType=ImmutableId"
        return GraphResponse(status, body, headers)
