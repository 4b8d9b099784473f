"""The queue in Postgres, for the single process: durable, with SKIP LOCKED and leases.

Everything that touches its tables is a function of the schema `broker` that knows the caller by its
database role, so the role is the proof of the publisher (DESIGN: who may say what).
"""

from libs.common.broker.postgres.broker import PostgresBroker
from libs.common.broker.postgres.dead_letters import PostgresDeadLetters
from libs.common.broker.postgres.declaration import declare, recover_claims
from libs.common.broker.postgres.session import Depth
from libs.common.broker.postgres.wakeups import Wakeups

__all__ = [
    "Depth",
    "PostgresBroker",
    "PostgresDeadLetters",
    "Wakeups",
    "declare",
    "recover_claims",
]
