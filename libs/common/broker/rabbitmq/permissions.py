"""Who may do what on RabbitMQ, as definitions that it imports.

They say what `libs.common.authority` says, one step earlier: RabbitMQ checks them when something is
published, our consumers once more when it is read. That is not idle: 3.10 checks the routing key
only, neither the property `type` nor the headers CC and BCC. The user name is the publisher.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping

from libs.common.authority import Authority
from libs.common.broker.rabbitmq.names import OPERATOR, service_exchange
from libs.common.broker.topology import EXCHANGE, Topology

Definition = dict[str, object]

#: Matches no name. An empty pattern would match every routing key.
NOTHING = "^$"
_HASHING = "rabbit_password_hashing_sha256"
_SALT_SIZE_BYTES = 4


def definitions(
    authority: Authority,
    topology: Topology,
    *,
    vhost: str,
    passwords: Mapping[str, str] | None = None,
) -> Mapping[str, list[Definition]]:
    """Return RabbitMQ's definitions: the virtual host, and the permissions of every publisher.

    With `passwords`, one for each of `users()`, also the users; as salted hashes, so that the
    result differs each time and holds no password.
    """
    types = authority.types()
    services = {queue.service for queue in topology.queues}
    made: dict[str, list[Definition]] = {"vhosts": [{"name": vhost}]}
    if passwords is not None:
        made["users"] = [_user(name, passwords[name]) for name in users(authority)]
    made["permissions"] = [
        {"user": name, "vhost": vhost, **_permissions(name, topology, is_consumer=name in services)}
        for name in users(authority)
    ]
    made["topic_permissions"] = [
        {"user": name, "vhost": vhost, "exchange": EXCHANGE, **_topics(name, types[name])}
        for name in users(authority)
    ]
    return made


def users(authority: Authority) -> list[str]:
    """Return the names of all users: our services, the operator, and the upstream publishers."""
    return sorted(authority.types())


def password_hash(password: str, salt: bytes | None = None) -> str:
    """Return a password as RabbitMQ keeps it (Access Control, Computing Password Hashes)."""
    salt = secrets.token_bytes(_SALT_SIZE_BYTES) if salt is None else salt
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _user(name: str, password: str) -> Definition:
    # No tags: `impersonator` would let a user publish in another's name.
    return {
        "name": name,
        "password_hash": password_hash(password),
        "hashing_algorithm": _HASHING,
        "tags": [],
    }


def _permissions(name: str, topology: Topology, *, is_consumer: bool) -> Definition:
    """Return the patterns of the resources that a user may configure, write to and read from."""
    if name == OPERATOR:
        ours = rf"^{re.escape(EXCHANGE)}(\..+)?$"
        return {"configure": ours, "write": ours, "read": ours}
    exchanges = [EXCHANGE, *([service_exchange(name)] if is_consumer else [])]
    queues = [queue.name for queue in topology.queues if queue.service == name]
    return {"configure": NOTHING, "write": _exactly(exchanges), "read": _exactly(queues)}


def _topics(name: str, types: Iterable[str]) -> Definition:
    """Return the patterns of the types that a user may publish, and of those it may bind to."""
    return {"write": _exactly(types), "read": ".*" if name == OPERATOR else NOTHING}


def _exactly(names: Iterable[str]) -> str:
    """Return a pattern of these whole names; one that ends in `*` stands for what begins so."""
    patterns = sorted({_pattern(name) for name in names})
    return f"^({'|'.join(patterns)})$" if patterns else NOTHING


def _pattern(name: str) -> str:
    return re.escape(name[:-1]) + ".*" if name.endswith("*") else re.escape(name)
