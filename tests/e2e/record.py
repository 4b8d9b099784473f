"""What a deployment left behind: its record, what was given up on; and a hand at its exchange."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from libs.common.broker.opening import BrokerAddress, open_broker, open_dead_letters
from libs.common.broker.port import DeadLettered, Message
from libs.common.clock import SystemClock
from libs.common.database.pool import open_pool
from services.audit.adapters.postgres.reading import PostgresArchive
from services.audit.domain.reconstruction import whole_body


@dataclass(frozen=True)
class Recorded:
    """A record of the audit log, as far as these tests look at it."""

    type: str
    chain: str
    publisher: str
    message_id: str
    flags: tuple[str, ...]
    body: Any


async def read_record(dsn: str, chain: str | None = None) -> list[Recorded]:
    """Return the record of all tenants or of one chain, as people may read it."""
    pool = await open_pool(dsn, schema="audit", max_size=1)
    try:
        async with PostgresArchive(pool).snapshot(chain) as (_, records):
            return [
                Recorded(
                    type=record.properties.type,
                    chain=record.link.chain,
                    publisher=record.properties.publisher,
                    message_id=record.properties.message_id,
                    flags=record.properties.flags,
                    body=whole_body(record),
                )
                async for record in records
            ]
    finally:
        await pool.close()


async def read_dead_letters(address: BrokerAddress) -> Sequence[DeadLettered]:
    """Return what was given up on."""
    async with open_dead_letters(address, clock=SystemClock()) as dead_letters:
        return await dead_letters.waiting()


async def publish(address: BrokerAddress, message: Message) -> None:
    """Publish as whoever the address names."""
    async with open_broker(address, clock=SystemClock()) as broker:
        await broker.publish([message])
