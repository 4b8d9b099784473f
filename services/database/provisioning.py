"""Carries a plan out, or writes it down for somebody else to."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlsplit, urlunsplit

from libs.common.broker.postgres.declaration import declaration_script, declare
from libs.common.broker.topology import UNDELIVER, Topology
from libs.common.database.provisioning import Plan, carry_out, create_database, role_of
from libs.common.database.statements import quoted
from libs.common.terminal import Output

_COLUMNS = ("kind", "name", "state", "password")


async def provision(output: Output, plan: Plan, admin_dsn: str, *, database: str | None) -> int:
    """Create what is missing, and print each thing with its state: `created` or `present`."""
    rows: list[Mapping[str, object]] = []
    if database is not None:
        created = await create_database(admin_dsn, database)
        rows.append(_row("database", database, is_new=created))
        admin_dsn = _at(admin_dsn, database)
    before = await carry_out(admin_dsn, plan)
    rows += _rows(plan, before)
    if plan.with_queue:
        await declare(admin_dsn, UNDELIVER)
        rows += [
            {"kind": "queue", "name": each.name, "state": "declared"} for each in UNDELIVER.queues
        ]
    output.records(rows, _COLUMNS)
    return 0


def script(plan: Plan, topology: Topology, database: str | None) -> str:
    """Return the same as a script for psql: to be run as it stands, and again."""
    return "\n".join(
        [
            "-- undeliver: roles, schemas and queues. psql -v ON_ERROR_STOP=1 -f FILE",
            *([] if database is None else _creating(database)),
            plan.script(),
            *([declaration_script(topology)] if plan.with_queue else []),
        ]
    )


def _creating(database: str) -> Iterator[str]:
    # psql's own \\gexec: `create database` knows no `if not exists`, and runs in no transaction.
    yield f"select 'create database \"{database}\"'"
    yield f"  where not exists (select from pg_database where datname = {quoted(database)}) \\gexec"
    yield f'\\connect "{database}"'


def _rows(plan: Plan, before: frozenset[tuple[str, str]]) -> Iterator[Mapping[str, object]]:
    for name in plan.names:
        role = role_of(name)
        password = "set" if name in plan.passwords else "unchanged"
        yield {**_row("role", role, is_new=("role", role) not in before), "password": password}
    for schema in plan.owners:
        yield _row("schema", schema, is_new=("schema", schema) not in before)


def _row(kind: str, name: str, *, is_new: bool) -> Mapping[str, object]:
    return {"kind": kind, "name": name, "state": "created" if is_new else "present"}


def _at(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{quote(database, safe='')}"))
