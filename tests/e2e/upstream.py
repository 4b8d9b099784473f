"""An upstream system: it has an address of RabbitMQ, its documentation, and nothing of ours."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika


def ask(url: str, type_: str, body: dict[str, Any], *, user: str = "soar") -> str:
    """Publish a command as `user`, wait for the confirm, and return its message id.

    Raises:
        aio_pika.exceptions.AMQPError: the broker refuses it.
    """
    message_id = str(uuid4())
    message = aio_pika.Message(
        json.dumps(body).encode(),
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=message_id,
        correlation_id=message_id,
        type=type_,
        timestamp=datetime.now(UTC),
        user_id=user,
        headers={"tenant": body["tenant"]},
    )
    asyncio.run(_publish(url, message, type_))
    return message_id


async def _publish(url: str, message: aio_pika.Message, type_: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange("undeliver", ensure=False)
        await exchange.publish(message, type_, mandatory=True, timeout=10)
