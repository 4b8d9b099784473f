"""What the reading commands do. They sign in as people do, never as the service."""

import argparse
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from libs.common.clock import SystemClock
from libs.common.database.pool import open_pool
from libs.common.instance import cli_connection
from libs.common.terminal import Output
from services.audit.adapters.postgres.reading import PostgresArchive, follow, verify
from services.audit.cli import views
from services.audit.domain import facts
from services.audit.domain.record import Mark
from services.audit.domain.search import Query

Command = Callable[[argparse.Namespace], Coroutine[Any, Any, int]]


@asynccontextmanager
async def _archive(arguments: argparse.Namespace) -> AsyncIterator[PostgresArchive]:
    connection = cli_connection(arguments.data)
    pool = await open_pool(connection.postgres_dsn, schema="audit", max_size=2)
    try:
        yield PostgresArchive(pool)
    finally:
        await pool.close()


async def search(arguments: argparse.Namespace) -> int:
    """Print the records that meet all that was asked."""
    query = Query(
        chain=arguments.tenant,
        section=arguments.section,
        type=arguments.type,
        disposition=arguments.disposition,
        outcome=arguments.outcome,
        publisher=arguments.publisher,
        flag=arguments.flag,
        since=arguments.since,
        until=arguments.until,
        limit=arguments.limit,
        marks=_marks(arguments),
    )
    async with _archive(arguments) as archive:
        found = await archive.search(query)
    views.print_found(Output(as_json=arguments.json), found)
    return 0


async def show(arguments: argparse.Namespace) -> int:
    """Print one record, or all under one message id."""
    chain, slash, number = arguments.record.rpartition("/")
    is_place = bool(slash) and number.isdecimal()
    async with _archive(arguments) as archive:
        if is_place:
            found = await archive.at((chain, int(number)), personal=arguments.personal)
        else:
            found = await archive.with_id(arguments.record, personal=arguments.personal)
    output = Output(as_json=arguments.json)
    wanted = [each for each in found if arguments.tenant in {None, each.chain}]
    for each in wanted:
        views.print_whole(output, each, personal=arguments.personal)
    if not wanted:
        output.note(f"no such record: {arguments.record}")
    return 0 if wanted else 1


async def timeline(arguments: argparse.Namespace) -> int:
    """Print all about one message or retraction."""
    (mark,) = _marks(arguments)
    async with _archive(arguments) as archive:
        found = await archive.timeline(mark, chain=arguments.tenant, limit=arguments.limit)
    views.print_found(Output(as_json=arguments.json), found)
    return 0


async def verify_chains(arguments: argparse.Namespace) -> int:
    """Walk the chains and say whether they hold."""
    async with _archive(arguments) as archive:
        verification = await verify(archive, arguments.tenant)
    output = Output(as_json=arguments.json)
    if arguments.tenant and not verification.chains:
        output.note(f"no such chain: {arguments.tenant}")
        return 1
    views.print_verification(output, verification)
    return 0 if verification.is_intact else 1


async def export(arguments: argparse.Namespace) -> int:
    """Print whole chains, and their heads at the end (docs/adr/0004-chain-format.md)."""
    output = Output(as_json=True)
    async with (
        _archive(arguments) as archive,
        archive.snapshot(arguments.tenant) as (heads, records),
    ):
        async for record in records:
            output.record(views.exported(record, personal=arguments.personal))
        for head in heads:
            output.record(views.exported_head(head))
    return 0


async def tail(arguments: argparse.Namespace) -> int:
    """Print the latest records, and go on if asked to."""
    output = Output(as_json=arguments.json)
    async with _archive(arguments) as archive:
        async for found in follow(
            archive, SystemClock(), chain=arguments.tenant, latest=arguments.limit
        ):
            for each in found:
                views.print_line(output, each)
            if not arguments.follow:
                break
    return 0


def _marks(arguments: argparse.Namespace) -> tuple[Mark, ...]:
    given = vars(arguments)
    wanted = {
        facts.MAILBOX: given.get("mailbox"),
        facts.PERSON: given.get("person"),
        facts.INTERNET_MESSAGE_ID: given.get("message_id"),
        facts.MESSAGE_KEY: given.get("message_key"),
        facts.RETRACTION: given.get("retraction"),
    }
    return tuple(facts.mark(kind, value) for kind, value in wanted.items() if value)


COMMANDS: Mapping[str, Command] = {
    "search": search,
    "show": show,
    "timeline": timeline,
    "verify": verify_chains,
    "export": export,
    "tail": tail,
}
