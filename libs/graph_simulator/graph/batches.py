"""`POST /$batch` (Graph, Combine multiple requests in one HTTP call)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from libs.graph_simulator.graph.errors import GraphError, bad_request
from libs.graph_simulator.graph.requests import Exchange, GraphRequest, GraphResponse, Json
from libs.graph_simulator.graph.service import GraphService
from libs.graph_simulator.options import Batches

_MOST_STEPS = 20
_OUTLOOK = frozenset({"messages", "mailfolders"})
_WRITES = frozenset({"POST", "PATCH", "PUT"})
_METHODS = frozenset({"GET", "DELETE", *_WRITES})


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a batch."""

    id: str
    request: GraphRequest
    depends_on: tuple[str, ...]

    @property
    def is_outlook(self) -> bool:
        """Whether Outlook answers it: only these are sent on a few at a time."""
        return not _OUTLOOK.isdisjoint(part.lower() for part in self.request.segments)


async def run_batch(
    service: GraphService, exchange: Exchange, version: str, body: object
) -> GraphResponse:
    """Carry out all steps; the answers come in any order.

    Raises:
        GraphError: the batch itself is wrong; nothing was carried out.
        ConnectionLostError: a rule says so; the rest was carried out.
    """
    switches = service.world.options.batches
    steps = _steps(body, version, switches)
    service.statistics.batches += 1
    service.statistics.batch_sizes[len(steps)] += 1
    answers = await _Run(service, exchange, switches, steps).answers()
    responses = [
        _written(step.id, answers[step.id]) for step in steps if not answers[step.id].is_omitted
    ]
    service.world.random.shuffle(responses)
    return GraphResponse(200, {"responses": responses})


class _Run:
    """The steps under way. Ordered ones go one at a time, others a few."""

    def __init__(
        self, service: GraphService, exchange: Exchange, switches: Batches, steps: list[Step]
    ) -> None:
        self._service = service
        self._exchange = exchange
        self._steps = steps
        self._is_ordered = any(step.depends_on for step in steps)
        burst = switches.sending == "burst"
        self._places = asyncio.Semaphore(_MOST_STEPS if burst else switches.at_a_time)
        self._answers: dict[str, GraphResponse] = {}

    async def answers(self) -> Mapping[str, GraphResponse]:
        if self._is_ordered:
            for step in self._steps:
                await self._carry_out(step)
            return self._answers
        lost: list[Exception] = []
        async with asyncio.TaskGroup() as group:
            for step in self._steps:
                group.create_task(self._guarded(step, lost))
        if lost:
            raise lost[0]
        return self._answers

    async def _guarded(self, step: Step, lost: list[Exception]) -> None:
        # One broken connection must not stop the others: Graph has sent them on.
        try:
            await self._carry_out(step)
        except ConnectionError as error:
            lost.append(error)

    async def _carry_out(self, step: Step) -> None:
        if any(self._answers[earlier].status >= 400 for earlier in step.depends_on):
            self._answers[step.id] = _failed_dependency(self._exchange, self._service)
        elif step.is_outlook:
            async with self._places:
                self._answers[step.id] = await self._service.answer(self._exchange, step.request)
        else:
            self._answers[step.id] = await self._service.answer(self._exchange, step.request)


def _steps(body: object, version: str, switches: Batches) -> list[Step]:
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list) or not requests:
        raise bad_request("Invalid batch payload format.")
    if len(requests) > _MOST_STEPS:
        raise bad_request(
            f"Number of batch request steps exceeds the maximum value of {_MOST_STEPS}.",
            "MaximumValueExceeded",
        )
    steps: list[Step] = []
    names: set[str] = set()
    for entry in requests:
        step = _step(entry, version, switches)
        if step.id.lower() in names:
            raise bad_request(f"Request Id {step.id} has to be unique in a batch.")
        if not names.issuperset(one.lower() for one in step.depends_on):
            raise bad_request(f"Invalid dependency for request Id {step.id}.")
        names.add(step.id.lower())
        steps.append(step)
    if switches.mixed == "refuse":
        _check_unmixed(steps)
    return _with_exact_dependencies(steps)


def _step(entry: object, version: str, switches: Batches) -> Step:
    if not isinstance(entry, dict):
        raise bad_request("Invalid batch payload format.")
    name, method, url = entry.get("id"), entry.get("method"), entry.get("url")
    if not (isinstance(name, str) and name and isinstance(method, str) and isinstance(url, str)):
        raise bad_request("Invalid batch payload format.")
    if method.upper() not in _METHODS:
        raise bad_request(f"Invalid method for request Id {name}.")
    if "://" in url.partition("?")[0] or url.startswith("//"):
        raise bad_request(f"Invalid URL for request Id {name}: it must be relative.")
    if url.strip("/").partition("?")[0].lower() in {"$batch", "%24batch"}:
        raise bad_request("Nested batch requests are not supported.")
    headers = _headers(entry.get("headers"), name)
    inner = entry.get("body")
    _check_body(name, method.upper(), headers, inner, switches)
    request = GraphRequest(
        method.upper(), version, url, headers, inner, _size_bytes(inner), is_inner=True
    )
    return Step(name, request, _depends_on(entry.get("dependsOn"), name))


def _check_body(
    name: str, method: str, headers: Mapping[str, str], body: object, switches: Batches
) -> None:
    if body is None:
        if method in _WRITES and switches.bodyless_writes == "refuse":
            raise bad_request(
                f"Write request id : {name} does not contain Content-Type header or body."
            )
    elif "content-type" not in headers:
        raise bad_request(f"Write request with id '{name}' does not contain a Content-Type header.")


def _headers(given: object, name: str) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(one, str) for one in given.values()):
        raise bad_request(f"Invalid headers for request Id {name}.")
    return {str(key).lower(): value for key, value in given.items()}


def _depends_on(given: object, name: str) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise bad_request(f"Invalid dependency for request Id {name}.")
    return tuple(given)


def _with_exact_dependencies(steps: list[Step]) -> list[Step]:
    spelling = {step.id.lower(): step.id for step in steps}
    return [
        Step(step.id, step.request, tuple(spelling[one.lower()] for one in step.depends_on))
        for step in steps
    ]


def _check_unmixed(steps: list[Step]) -> None:
    dependent = [bool(step.depends_on) for step in steps[1:]]
    if any(dependent) and not all(dependent):
        raise bad_request("Batch should be either fully sequential or fully parallel.")


def _size_bytes(body: object) -> int:
    return len(repr(body)) if body is not None else 0


def _failed_dependency(exchange: Exchange, service: GraphService) -> GraphResponse:
    error = GraphError(424, "FailedDependency", "A request that this one depends on has failed.")
    return error.response(exchange, service.world.clock.now())


def _written(name: str, answer: GraphResponse) -> Json:
    headers = dict(answer.headers)
    written: dict[str, object] = {"id": name, "status": answer.status, "headers": headers}
    if isinstance(answer.body, bytes):
        headers["Content-Type"] = "text/plain"
        written["body"] = answer.body.decode("utf-8", "replace")
    elif answer.body is not None:
        headers.setdefault("Cache-Control", "private")
        headers["Content-Type"] = "application/json"
        written["body"] = answer.body
    return written
