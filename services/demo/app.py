"""Wiring: the embedded services, the simulated Microsoft side, and the story between them."""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from libs.common.clock import Clock, SystemClock
from libs.common.database.pool import open_pool
from libs.common.instance import Instance, announce
from libs.common.tenants.current import CurrentConfiguration
from libs.common.terminal import Output
from libs.graph_simulator.admin.admin import Admin
from libs.graph_simulator.server import Simulator, serve
from services.audit.adapters.postgres.reading import PostgresArchive, verify
from services.classifier.settings import Tuning as ClassifierTuning
from services.demo import scenario
from services.demo.outcome import (
    CopyRow,
    by_disposition,
    copy_rows,
    median_seconds,
    message_rows,
)
from services.demo.post import Mail, load_mail
from services.demo.resolver import serve_dns
from services.demo.signer import Signer
from services.demo.story import Stage, play
from services.demo.testimony import Testimony
from services.embedded.app import Embedded, Tunings, embedded
from services.embedded.settings import Settings
from services.ingest.settings import Tuning as IngestTuning
from services.retractor.settings import Tuning as RetractorTuning

_COLUMNS = ("message", "disposition", "reason", "policy", "copies", "became", "to", "seconds")


async def demonstrate(output: Output, *, keeps: bool = False, serves: bool = False) -> int:
    """Run the whole demonstration and return its exit code.

    Raises:
        StartError: something is in the way, or does not come to its end in time.
    """
    clock, mails, signer = SystemClock(), load_mail(), Signer()
    with _data_folder(keeps=keeps) as folder:
        async with (
            _world(folder, mails, signer, clock) as (simulator, services),
            asyncio.TaskGroup() as group,
        ):
            running = group.create_task(services.run())
            async with _stage(simulator.admin, services, signer, output) as stage:
                testimony = await play(stage, mails)
                code = await _report(stage, testimony)
            if serves:
                _invite(output, simulator, services, folder)
                await running
            running.cancel()
        if keeps:
            output.note(f"the data is kept in {folder}")
    return code


@asynccontextmanager
async def _world(
    folder: Path, mails: list[Mail], signer: Signer, clock: Clock
) -> AsyncIterator[tuple[Simulator, Embedded]]:
    """Start Microsoft's side, a DNS server and all services."""
    secret, smtp_port = scenario.new_secret(folder), _free_port()
    domains = {mail.signed_by for mail in mails if mail.signed_by}
    async with AsyncExitStack() as held:
        enter = held.enter_async_context
        records = signer.records(sorted(domains), own_domain=scenario.DOMAIN)
        dns_port = await enter(serve_dns(records))
        simulator = await enter(serve(scenario.seed(secret, smtp_port), clock=clock))
        tunings = Tunings(
            IngestTuning(smtp_port=smtp_port),
            ClassifierTuning(nameservers=(f"127.0.0.1:{dns_port}",)),
            RetractorTuning(
                graph_url=simulator.graph_url,
                authority_url=simulator.authority_url,
                ca_file=simulator.ca_file,
            ),
        )
        configuration = CurrentConfiguration(scenario.configuration(secret))
        services = await enter(
            embedded(folder, configuration, Settings(http_port=0), tunings, clock)
        )
        yield simulator, services


@asynccontextmanager
async def _stage(
    admin: Admin, services: Embedded, signer: Signer, output: Output
) -> AsyncIterator[Stage]:
    """Connect as people and upstream systems do: each as a publisher of its own."""
    base = services.foundation
    async with base.broker("cli") as cli, base.broker("soar") as soar:
        pool = await open_pool(base.dsn("cli"), schema="audit", max_size=2)
        try:
            yield Stage(
                admin=admin,
                archive=PostgresArchive(pool),
                signer=signer,
                clock=base.clock,
                output=output,
                publishers={"cli": cli, "soar": soar},
            )
        finally:
            await pool.close()


async def _report(stage: Stage, testimony: Testimony) -> int:
    """Show what became of every copy, and verify the record."""
    rows = copy_rows(stage.admin.copies(), testimony)
    verification = await verify(stage.archive)
    wrong = [row for row in rows if not row.agrees]
    result = {
        "messages": len(stage.admin.deliveries()),
        "by_disposition": by_disposition(testimony),
        "copies": [row.public() for row in rows],
        "restored": sum(row.outcome == "restored" for row in rows),
        "audit_events": verification.records,
        "audit_verified": verification.is_intact,
    }
    if stage.output.as_json:
        stage.output.record(result)
    else:
        _tell(stage.output, rows, testimony, result)
    for row in wrong:
        stage.output.note(f"DISAGREES: {row.mailbox} {row.outcome} but in {row.folder_after}")
    return 0 if verification.is_intact and not wrong else 1


def _tell(
    output: Output, rows: list[CopyRow], testimony: Testimony, result: dict[str, object]
) -> None:
    output.records(message_rows(rows, testimony), _COLUMNS)
    output.text(
        f"{result['messages']} messages, {len(rows)} copies, {result['restored']} restored; "
        f"median from delivery to removal {median_seconds(rows)} s"
    )
    verdict = "verified" if result["audit_verified"] else "NOT INTACT"
    output.text(f"the record holds {result['audit_events']} events, {verdict}")


def _invite(output: Output, simulator: Simulator, services: Embedded, folder: Path) -> None:
    announce(
        folder,
        Instance(
            pid=os.getpid(),
            cli_postgres_dsn=services.foundation.dsn("cli"),
            smtp_port=services.smtp_port,
            http_port=services.http_port,
        ),
    )
    output.note(f"SMTP on 127.0.0.1:{services.smtp_port}, simulated Graph at {simulator.graph_url}")
    output.note(f"metrics at http://127.0.0.1:{services.http_port}/metrics")
    output.note(f"try: undeliver audit search --data {folder}")
    output.note("Ctrl-C ends it")


@contextmanager
def _data_folder(*, keeps: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="undeliver-demo-"))
    if os.geteuid() == 0:
        folder.chmod(0o711)  # the database runs as another account, and must find its folder
    try:
        yield folder
    finally:
        if not keeps:
            shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
