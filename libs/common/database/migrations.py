"""Numbered, forward-only migrations of a service's own schema."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

import asyncpg

from libs.common.database.errors import translated
from libs.common.errors import TransientError

_FILE = re.compile(r"^(\d{4})_\w+\.sql$")
#: One migrator at a time in a database: any constant will do, but all must use the same.
_LOCK = 7_205_759_403_792_793

#: Building an index takes longer than any statement at work, and so does another migrator.
_LIMIT_SECONDS = 3600.0

_TABLE = """
create table if not exists migrations (
    package text not null,
    number integer not null,
    applied_at timestamptz not null default clock_timestamp(),
    primary key (package, number)
)
"""

_STEP = """
do $step$
begin
    if not exists (select from migrations where package = '{package}' and number = {number}) then
        execute $migration$
{sql}
$migration$;
        insert into migrations (package, number) values ('{package}', {number});
    end if;
end
$step$;
"""


async def migrate(pool: asyncpg.Pool, package: str) -> None:
    """Apply the `NNNN_name.sql` files of a package that this schema has not had yet, in order.

    All or nothing, and safe to run from several replicas at once.

    Raises:
        TransientError: `database_unreachable`; `database_not_provisioned`, there is no schema of
            ours yet.
    """
    with translated(), _provisioned():
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(f"set local statement_timeout = '{_LIMIT_SECONDS:.0f}s'")
            await connection.execute(
                "select pg_advisory_xact_lock($1)", _LOCK, timeout=_LIMIT_SECONDS
            )
            await connection.execute(_TABLE)
            rows = await connection.fetch(
                "select number from migrations where package = $1", package
            )
            applied = {row["number"] for row in rows}
            for number, sql in _numbered(package):
                if number not in applied:
                    await connection.execute(sql, timeout=_LIMIT_SECONDS)
                    await connection.execute(
                        "insert into migrations (package, number) values ($1, $2)", package, number
                    )


def migration_script(package: str, schema: str) -> str:
    """Return SQL that does what `migrate` does, for whoever lets nobody else change a database.

    Any client may run it, again and again; it ends with the search path on this schema.
    """
    return "\n".join(
        [
            f"select pg_advisory_xact_lock({_LOCK});",
            f"set local search_path = {schema};",
            f"{_TABLE.strip()};",
            *(
                _STEP.format(package=package, number=number, sql=sql.strip())
                for number, sql in _numbered(package)
            ),
        ]
    )


@contextmanager
def _provisioned() -> Iterator[None]:
    try:
        yield
    except asyncpg.InvalidSchemaNameError as error:
        # Whoever provisions may not have come to it yet: starts are in no order.
        raise TransientError("database_not_provisioned", type(error).__name__) from error


def _numbered(package: str) -> list[tuple[int, str]]:
    found = []
    for entry in files(package).iterdir():
        match = _FILE.match(entry.name)
        if match:
            found.append((int(match.group(1)), entry.read_text(encoding="utf-8")))
    return sorted(found)
