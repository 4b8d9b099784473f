"""One operation from its arrival to its answer: route, mailbox, limits, time, failures."""

import random

from libs.graph_simulator.graph import routes
from libs.graph_simulator.graph.calls import Call, Route
from libs.graph_simulator.graph.errors import (
    GraphError,
    access_denied,
    insufficient_privileges,
    invalid_user,
    no_cloud_mailbox,
)
from libs.graph_simulator.graph.failures import Facts, Failures
from libs.graph_simulator.graph.latency import Delays
from libs.graph_simulator.graph.requests import Exchange, GraphRequest, GraphResponse
from libs.graph_simulator.graph.statistics import Statistics
from libs.graph_simulator.graph.throttling import Throttle
from libs.graph_simulator.world.directory import Tenant, World
from libs.graph_simulator.world.mailbox import WITHOUT_CLOUD_MAILBOX, Mailbox


class GraphService:
    """Answers operations. It does not know whether they came alone or in a batch."""

    def __init__(self, world: World) -> None:
        self.world = world
        options, clock = world.options, world.clock
        # A chance of its own: how many delays are drawn must not change the ids of mail.
        chance = random.Random(options.seed)  # noqa: S311 - repeatable, not secret
        self.throttle = Throttle(clock, options.throttling)
        self.delays = Delays(clock, chance, options.latency)
        self.failures = Failures(clock, chance.random)
        self.statistics = Statistics(clock)

    async def answer(self, exchange: Exchange, request: GraphRequest) -> GraphResponse:
        """Carry out one operation.

        Raises:
            ConnectionLostError: a rule says that the connection breaks.
        """
        call: Call | None = None
        operation = "unknown"
        try:
            route, parameters = routes.resolve(request.method, request.segments)
            operation = route.operation
            call = self._open(exchange, request, route, parameters)
            answer = await self._carry_out(call)
        except GraphError as error:
            answer = error.response(exchange, self.world.clock.now())
        mailbox = call.user if call else ""
        self.statistics.count(operation, mailbox, answer.status)
        place = (exchange.caller.application.client_id, mailbox)
        self.statistics.note_refusal(exchange, place, answer)
        return answer

    async def _carry_out(self, call: Call) -> GraphResponse:
        request, operation = call.request, call.route.operation
        facts = Facts(request.method, request.url, operation, call.user, request.is_inner)
        place = (call.exchange.caller.application.client_id, call.user)
        self.statistics.note_arrival(place, call.exchange.arrived_at)
        with self.throttle.admitted(call):
            await self.delays.spend(operation)
            effect = self.failures.effect("before", facts)
            if effect is not None:
                return await self.failures.apply(effect, call.exchange, None)
            answer = call.route.answer(call)
            effect = self.failures.effect("after", facts)
            if effect is not None:
                return await self.failures.apply(effect, call.exchange, answer)
            return answer

    def _open(
        self, exchange: Exchange, request: GraphRequest, route: Route, parameters: dict[str, str]
    ) -> Call:
        if not exchange.caller.may(*route.roles):
            raise access_denied() if route.is_mail else insufficient_privileges()
        target = None
        if route.is_mail:
            target = self._mailbox(exchange.caller.tenant, parameters["user"])
        immutable = request.wants_immutable_ids
        return Call(self.world, exchange, request, route, parameters, target, immutable)

    def _mailbox(self, tenant: Tenant, name: str) -> Mailbox:
        found = tenant.find_user(name)
        if found is None and self.world.options.alias_in_mail_paths:
            found = tenant.by_address.get(name.lower())
        if found is None:
            raise invalid_user(name)
        if found.kind in WITHOUT_CLOUD_MAILBOX:
            raise no_cloud_mailbox()
        if found.kind == "out_of_scope":
            raise access_denied()
        if found.kind == "out_of_policy":
            raise access_denied("Access to OData is disabled.")
        return found
