"""A RabbitMQ that somebody else runs: guests there, we touch nothing that we did not make."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from tests.services import docker
from tests.services.choice import UnavailableError
from tests.services.foreign_postgres import is_loopback
from tests.services.management import Management
from tests.services.vhosts import PUBLISHERS, TAG, RabbitServer

IMAGE = "rabbitmq:4-management"
#: Where a fresh installation lets everybody in, but only from the same machine.
LOCAL_URL = "amqp://guest:guest@127.0.0.1:5672/"
_API_ABOVE = 10_000  # 5672 and 15672, 5671 and 15671
_CONTAINER_START_SECONDS = 60.0
_POLL_SECONDS = 0.2
_AMQP, _API = 5672, 15672


def server_at(url: str, *, version: str = "") -> RabbitServer:
    """Return the server of an AMQP address with an administrator's login.

    Its HTTP API is 10,000 ports above, or where the address says: `…/?management=http://host:port`.
    """
    parts = urlsplit(url)
    scheme, host = parts.scheme, parts.hostname or "localhost"
    port = parts.port or (5671 if scheme == "amqps" else _AMQP)
    secure = "s" if scheme == "amqps" else ""
    named = parse_qs(parts.query).get("management")
    api = named[0].rstrip("/") if named else f"http{secure}://{host}:{port + _API_ABOVE}"
    login = unquote(parts.username or "guest"), unquote(parts.password or "guest")
    # The same in every session, for two may run at once on one server; as secret as the address.
    password = hashlib.sha256(f"undeliver tests {url}".encode()).hexdigest()
    return RabbitServer(version, host, port, Management(api, *login), password, scheme)


async def examine(url: str, *, unused: bool) -> str:
    """Return the version of a server on which we may create what tests need.

    With `unused`, a server that has users of our names already is left alone: it may be in real
    use. So is one on another machine.

    Raises:
        UnavailableError: it does not answer, or does not let us.
    """
    server = server_at(url)
    if unused and not is_loopback(server.host):
        raise UnavailableError(f"{server.host} is not this machine")
    try:
        who = await server.management.get("whoami")
        if "administrator" not in _tags(who["tags"]):
            raise UnavailableError(f"its user {who['name']} is no administrator")
        version = (await server.management.get("overview"))["rabbitmq_version"]
        users = await server.management.get("users")
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise UnavailableError(f"no management API: {error or type(error).__name__}") from error
    theirs = [user["name"] for user in users if TAG not in _tags(user["tags"])]
    used = sorted(set(PUBLISHERS).intersection(theirs))
    if used:
        raise UnavailableError(f"it has users that are not ours to change: {', '.join(used)}")
    return str(version)


@asynccontextmanager
async def use(url: str, version: str) -> AsyncIterator[RabbitServer]:
    """Be a guest there, and take back the users that nobody else's tests need."""
    server = server_at(url, version=version)
    try:
        yield server
    finally:
        await _delete_users(server)


@asynccontextmanager
async def contained() -> AsyncIterator[RabbitServer]:
    """Run a container for the session."""
    password = secrets.token_hex(32)
    environment = {"RABBITMQ_DEFAULT_USER": "admin", "RABBITMQ_DEFAULT_PASS": password}
    async with docker.container(IMAGE, [_AMQP, _API], environment) as running:
        api = f"http://{running.host}:{running.ports[_API]}"
        management = Management(api, "admin", password)
        async with asyncio.timeout(_CONTAINER_START_SECONDS):
            version = await _version(management)

        async def evaluate(expression: str) -> str:
            command = ["rabbitmqctl", "eval", f"{expression}."]
            return (await asyncio.to_thread(running.run, command)).strip()

        yield RabbitServer(
            version,
            running.host,
            running.ports[_AMQP],
            management,
            password,
            evaluate=evaluate,
        )


async def _version(management: Management) -> str:
    while True:
        try:
            return str((await management.get("overview"))["rabbitmq_version"])
        except httpx.HTTPError:
            await asyncio.sleep(_POLL_SECONDS)


async def _delete_users(server: RabbitServer) -> None:
    for name in sorted(server.users):
        # Whoever has rights in a virtual host is at work there: another session.
        if not await server.management.get("users", name, "permissions"):
            await server.management.delete("users", name)


def _tags(tags: str | Sequence[str]) -> Sequence[str]:
    """Return a user's tags, which were one text up to 3.8."""
    return tags.split(",") if isinstance(tags, str) else tags
