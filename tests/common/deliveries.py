"""A retractor with one queue of commands, around which the consumer's tests stand."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from libs.common.broker.consumer import consume
from libs.common.broker.handling import Handler
from libs.common.broker.port import Broker, Message
from libs.common.broker.topology import ALL, Queue, Topology
from libs.common.contracts.retraction import CancelRetraction
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.model import Configuration
from tests.fakes.broker import Exchange, MemoryBroker
from tests.fakes.clock import FakeClock
from tests.fakes.inbox import MemoryInbox

COMMANDS = "test.commands.v1"
RECORD = "test.record.v1"

TOPOLOGY = Topology(
    queues=(
        Queue(COMMANDS, "retractor", ("retraction.cancel.v1",)),
        Queue(RECORD, "audit", (ALL,)),
    ),
    delay_steps_seconds=(5.0, 30.0, 300.0),
)
CONFIGURATION = Configuration.model_validate(
    {
        "service_domain": "undeliver.example",
        "publishers": [
            {"name": "soar", "types": ["retraction.*", "mail.*"], "tenants": ["acme"]},
            {"name": "console", "types": ["retraction.*"]},
        ],
        "tenants": [
            {
                "id": "acme",
                "microsoft_tenant_id": "1",
                "domains": ["acme.example"],
                "journal": {"token": "a" * 26},
                "graph": {"client_id": "c", "workload_identity": True},
            }
        ],
    }
)
CANCEL = CancelRetraction(
    tenant="acme",
    retraction_id=UUID(int=7),
    reason="a mistake",
    requested_by="ann@example.com",
)


def command(message_id: str = "m1", **changes: object) -> Message:
    fields: dict[str, object] = {
        "message_id": message_id,
        "type": CANCEL.type,
        "body": CANCEL.body(),
        "tenant": "acme",
        "correlation_id": "c1",
        "causation_id": None,
        "timestamp": datetime(2026, 1, 5, 9, 0, tzinfo=UTC),
        "app_id": "soar",
    }
    return Message(**{**fields, **changes})  # type: ignore[arg-type]


class Retractor:
    """The consumer under test, its broker and its clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.exchange = Exchange(clock, TOPOLOGY)
        self.inbox = MemoryInbox(clock)
        self.configuration = CurrentConfiguration(CONFIGURATION)
        self.soar = self.connect("soar")
        self.broker = self.connect("retractor")

    def connect(self, publisher: str) -> MemoryBroker:
        """Return a connection of a publisher."""
        return MemoryBroker(self.exchange, publisher)

    def route(self, type_: str) -> None:
        """Bind the command queue to one more type."""
        commands, record = self.exchange.topology.queues
        wider = replace(commands, types=(*commands.types, type_))
        self.exchange.topology = replace(self.exchange.topology, queues=(wider, record))

    @asynccontextmanager
    async def runs(
        self,
        handle: Handler,
        *,
        broker: Broker | None = None,
        concurrency: int = 4,
        handlers: Mapping[str, Handler] | None = None,
    ):
        """Consume while the body runs."""
        running = consume(
            broker or self.broker,
            COMMANDS,
            {CANCEL.type: handle} if handlers is None else handlers,
            inbox=self.inbox,
            configuration=self.configuration,
            topology=TOPOLOGY,
            clock=self.clock,
            service="retractor",
            concurrency=concurrency,
        )
        async with asyncio.TaskGroup() as tasks:
            consumer = tasks.create_task(running)
            yield consumer
            consumer.cancel()

    async def takes(self, *messages: Message, publisher: MemoryBroker | None = None) -> None:
        """Publish, and let the consumer do what it can do now."""
        await (publisher or self.soar).publish(messages)
        await self.passes(0)

    async def passes(self, seconds: float) -> None:
        """Let time go by."""
        await self.clock.advance(seconds)

    def left(self) -> list[str]:
        """The ids of the commands that are not settled for good."""
        return [
            entry.message.message_id for entry in self.exchange.entries if entry.queue == COMMANDS
        ]

    def published(self, type_: str) -> list[Message]:
        """What the retractor has said, as the record has it."""
        return [
            entry.message
            for entry in self.exchange.entries
            if entry.queue == RECORD and entry.message.type == type_
        ]

    def letters(self) -> list[tuple[str, str]]:
        """The dead letters: message id and reason."""
        return [
            (letter.delivery.message.message_id, letter.reason)
            for letter in self.exchange.letters.values()
        ]


def failing(*errors: BaseException | None) -> tuple[Handler, list[float]]:
    """Return a handler that fails in turn (None: it succeeds), and the list of its calls."""
    calls: list[float] = []
    rest = list(errors)

    async def handle(contract: object, publish: Callable[..., Awaitable[None]]) -> None:
        calls.append(asyncio.get_running_loop().time())
        error = rest.pop(0) if rest else None
        if error is not None:
            raise error

    return handle, calls
