"""Roles and schemas: each service owns one schema; each publisher is one role.

The broker's Postgres adapter takes the role for the proof of who publishes, so a role is never
shared between publishers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from libs.common.database.errors import translated
from libs.common.database.scram import scram_verifier
from libs.common.database.statements import quoted, statements
from libs.common.errors import ConfigurationError, StartError, TransientError

ROLE_PREFIX = "undeliver_"
#: Each owns a schema of the same name.
SERVICES = ("ingest", "classifier", "retractor", "audit")
#: Owns the queue, where that is in Postgres.
BROKER = "broker"
#: What people's commands publish as.
CLI = "cli"

_PACKAGE, _FILE = "libs.common.database", "provisioning.sql"
#: Postgres cuts longer names, so that two publishers might become one.
_MAX_ROLE_BYTES = 63
_LOCK = 7_205_759_403_792_794
#: Who loses an attempt lost it to one that was carried out: as many as run at once are enough.
_ATTEMPTS = 100


def role_of(publisher: str) -> str:
    """Return the database role of a publisher or service.

    Raises:
        ConfigurationError: the name is too long for one.
    """
    role = ROLE_PREFIX + publisher
    if len(role.encode()) > _MAX_ROLE_BYTES:
        most = _MAX_ROLE_BYTES - len(ROLE_PREFIX)
        raise ConfigurationError(
            f"{publisher}: too long for a publisher's name: at most {most} characters become a "
            "database role"
        )
    return role


@dataclass(frozen=True, slots=True)
class Plan:
    """What a database is to have: the services' roles and schemas, the commands' role, and more."""

    #: The queue's owner and schema, too.
    with_queue: bool = True
    #: Upstream publishers: only the queue knows them by a role.
    publishers: Sequence[str] = ()
    #: By publisher or service; whoever has none keeps what it has.
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def owners(self) -> tuple[str, ...]:
        """The names of roles that own a schema of their name."""
        return (*SERVICES, *([BROKER] if self.with_queue else []))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all roles, without their prefix."""
        return tuple(dict.fromkeys((*self.owners, CLI, *self.publishers)))

    def script(self) -> str:
        """Return SQL that any client may run, again and again; it holds no password in the clear.

        Raises:
            ConfigurationError: a name is too long.
        """
        return "\n".join(
            [
                "begin;",
                f"select pg_advisory_xact_lock({_LOCK});",
                statements(_PACKAGE, _FILE)["functions"] + ";",
                *(self._role(name) for name in self.names),
                *(
                    f"select pg_temp.undeliver_schema({quoted(name)}, {quoted(role_of(name))});"
                    for name in self.owners
                ),
                "commit;\n",
            ]
        )

    def _role(self, name: str) -> str:
        password = self.passwords.get(name)
        verifier = "null" if password is None else quoted(scram_verifier(password))
        return f"select pg_temp.undeliver_role({quoted(role_of(name))}, {verifier});"


async def provision(
    admin_dsn: str, *, publishers: Sequence[str] = (), password: str | None = None
) -> None:
    """Create what is missing of roles and schemas, the queue's included; see `carry_out`.

    `password` is given to every role, for servers that ask for one; None leaves them as they are.
    """
    names = Plan(publishers=publishers).names
    passwords = {} if password is None else dict.fromkeys(names, password)
    await carry_out(admin_dsn, Plan(publishers=publishers, passwords=passwords))


async def carry_out(admin_dsn: str, plan: Plan) -> frozenset[tuple[str, str]]:
    """Create what is missing; safe to run again, and from several at once.

    `admin_dsn` names a superuser, or a role that may create roles and schemas. Returns kind and
    name of what was there before.

    Raises:
        TransientError: `database_unreachable`, `database_conflict`.
        StartError: the role may not do this.
        ConfigurationError: a name is too long.
    """
    script = plan.script()
    roles = [role_of(name) for name in plan.names]
    with translated():
        connection = await asyncpg.connect(admin_dsn)
        try:
            rows = await connection.fetch(
                statements(_PACKAGE, _FILE)["existing"], roles, list(plan.owners)
            )
            await _execute(connection, script)
        finally:
            await connection.close()
    return frozenset((row["kind"], row["name"]) for row in rows)


async def _execute(connection: asyncpg.Connection, script: str) -> None:
    for _ in range(_ATTEMPTS):
        try:
            await connection.execute(script)
        except (asyncpg.InternalServerError, asyncpg.UniqueViolationError):
            # `tuple concurrently updated`: roles belong to the whole server, the lock to one of its
            # databases. The other one has committed by now.
            await connection.execute("rollback")
        except asyncpg.InsufficientPrivilegeError as error:
            raise StartError(
                f"the database refuses: {error}; name a role that may create roles and schemas"
            ) from error
        else:
            return
    raise TransientError("database_conflict", "others provision the same server")


async def create_database(admin_dsn: str, name: str) -> bool:
    """Create a database where it does not exist; return whether it did not.

    Connect to another one for that.

    Raises:
        TransientError: `database_unreachable`.
        StartError: the role may not do this.
    """
    with translated():
        connection = await asyncpg.connect(admin_dsn)
        try:
            known = await connection.fetchval("select 1 from pg_database where datname = $1", name)
            if known:
                return False
            # Postgres itself quotes identifiers, which cannot be parameters.
            statement = await connection.fetchval(
                "select format('create database %I', $1::text)", name
            )
            await connection.execute(statement)
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            return False  # another one was faster
        except asyncpg.InsufficientPrivilegeError as error:
            raise StartError(
                f"the database refuses: {error}; name a role that may create databases"
            ) from error
        finally:
            await connection.close()
    return True
