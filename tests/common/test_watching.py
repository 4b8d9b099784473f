"""A configuration file that changes under a running process."""

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from libs.common.broker.beside import beside
from libs.common.errors import ConfigurationError
from libs.common.tenants.watching import LOOK_EVERY_SECONDS, WatchedFile

FILE = """
service_domain: undeliver.example
tenants:
  - id: acme
    microsoft_tenant_id: "1"
    domains: [acme.example]
    journal: {token: aaaaaaaaaaaaaaaaaaaaaaaaaa}
    graph: {client_id: c, client_secret: env:ACME_SECRET}
"""
GLOBEX = """\
  - id: globex
    microsoft_tenant_id: "2"
    domains: [globex.example]
    journal: {token: bbbbbbbbbbbbbbbbbbbbbbbbbb}
    graph: {client_id: c, client_secret: env:GLOBEX_SECRET}
"""
BROKEN = FILE.replace("env:ACME_SECRET", "hunter2")


class Watch:
    """A watched file, its directory, and the time."""

    def __init__(self, path, clock) -> None:
        self.path = path
        self.clock = clock
        self.file = WatchedFile.load(path)

    @property
    def tenants(self) -> list[str]:
        return [tenant.id for tenant in self.file.current.value.tenants]

    async def looks(self, times: int = 1) -> None:
        """Let the watcher look so often."""
        for _ in range(times):
            await self.clock.advance(LOOK_EVERY_SECONDS)
            async with asyncio.timeout(10):
                while not self.clock.sleepers:
                    await asyncio.to_thread(int)  # it reads in a thread, too


@asynccontextmanager
async def watching(path, clock):
    watch = Watch(path, clock)
    async with beside(watch.file.watch(clock)):
        await clock.advance(0)
        yield watch


@pytest.fixture
async def watch(tmp_path, clock):
    path = tmp_path / "undeliver.yaml"
    path.write_text(FILE)
    async with watching(path, clock) as watch:
        yield watch


def metric(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"undeliver_config_last_reload_{name}")


def logged(logs, event):
    return [each for each in logs if each["event"] == event]


async def test_a_file_that_is_written_over_comes_into_force(watch):
    former = watch.file.current.value.version
    with capture_logs() as logs:
        watch.path.write_text(FILE + GLOBEX)
        await watch.looks(2)

    assert watch.tenants == ["acme", "globex"]
    version = watch.file.current.value.version
    assert logged(logs, "configuration_changed") == [
        {
            "event": "configuration_changed",
            "log_level": "info",
            "version": version,
            "former": former,
        }
    ]
    assert watch.file.current.edition.origin.changed_by == f"file:{watch.path}"
    assert watch.file.current.edition.origin.changed_at.timestamp() == pytest.approx(
        watch.path.stat().st_mtime
    )


async def test_a_file_that_another_is_renamed_to_comes_into_force(watch):
    fresh = watch.path.with_name("fresh.yaml")
    fresh.write_text(FILE + GLOBEX)
    fresh.rename(watch.path)
    await watch.looks(2)

    assert watch.tenants == ["acme", "globex"]


async def test_a_mount_that_is_swapped_as_kubernetes_does_is_followed(tmp_path, clock):
    for name, content in (("..v1", FILE), ("..v2", FILE + GLOBEX)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "undeliver.yaml").write_text(content)
    (tmp_path / "..data").symlink_to("..v1")
    path = tmp_path / "undeliver.yaml"
    path.symlink_to("..data/undeliver.yaml")

    async with watching(path, clock) as watch:
        (tmp_path / "..tmp").symlink_to("..v2")
        (tmp_path / "..tmp").rename(tmp_path / "..data")
        await watch.looks(2)

        assert watch.tenants == ["acme", "globex"]


async def test_what_is_still_being_written_waits_until_it_stands_still(watch):
    watch.path.write_text(FILE.replace("acme", "first"))  # valid, and not yet all
    await watch.looks()
    watch.path.write_text(FILE + GLOBEX)
    await watch.looks()
    assert watch.tenants == ["acme"]

    await watch.looks()
    assert watch.tenants == ["acme", "globex"]


async def test_what_is_wrong_changes_nothing_and_is_said_once_without_secrets(watch):
    with capture_logs() as logs:
        watch.path.write_text(BROKEN)
        await watch.looks(5)

    assert watch.tenants == ["acme"]
    [refusal] = logged(logs, "configuration_refused")
    assert refusal["problems"][0].startswith(f"{watch.path}:8: tenants[0].graph.client_secret: ")
    assert refusal["in_force"] == watch.file.current.value.version
    assert "hunter2" not in str(logs)
    assert metric("successful") == 0


@pytest.mark.parametrize("content", [FILE + GLOBEX, FILE])
async def test_what_was_mended_comes_into_force(watch, content):
    watch.path.write_text(BROKEN)
    await watch.looks(2)
    watch.path.write_text(content)
    await watch.looks(2)

    assert watch.tenants == (["acme"] if content == FILE else ["acme", "globex"])
    assert metric("successful") == 1
    assert metric("success_timestamp_seconds") == pytest.approx(watch.clock.now().timestamp())


async def test_a_file_that_goes_and_comes_again_changes_nothing(watch):
    with capture_logs() as logs:
        watch.path.unlink()
        await watch.looks(3)
        watch.path.write_text(FILE)
        await watch.looks(2)

    assert watch.tenants == ["acme"]
    assert len(logged(logs, "configuration_refused")) == 1
    assert metric("successful") == 1


async def test_a_comment_is_no_change(watch):
    before = watch.file.current.edition
    watch.path.write_text("# thought about it\n" + FILE)
    await watch.looks(2)

    assert watch.file.current.edition is before


@pytest.mark.parametrize(
    ("line", "field"),
    [("region: elsewhere\n", "region"), ("service_domain: other.example\n", "service_domain")],
)
async def test_where_mail_may_be_and_where_it_is_sent_changes_at_a_start_only(watch, line, field):
    content = FILE.replace("service_domain: undeliver.example\n", "") if field in FILE else FILE
    with capture_logs() as logs:
        watch.path.write_text(line + content + GLOBEX)
        await watch.looks(2)

    assert watch.tenants == ["acme"]
    [refusal] = logged(logs, "configuration_refused")
    assert refusal["problems"] == [f"{watch.path}: {field}: cannot change here; start again"]


async def test_a_file_of_any_time_is_dated(watch):
    watch.path.write_text(FILE + GLOBEX)
    os.utime(watch.path, (2**33, 2**33))
    await watch.looks(2)

    assert watch.tenants == ["acme", "globex"]
    assert watch.file.current.edition.origin.changed_at.year == 2242


async def test_a_pipe_in_its_place_that_nobody_writes_holds_nothing_up(watch):
    watch.path.unlink()
    os.mkfifo(watch.path)
    await watch.looks(2)

    assert watch.tenants == ["acme"]
    assert metric("successful") == 0


async def test_a_pipe_is_read_once(clock):
    reading, writing = os.pipe()
    os.write(writing, FILE.encode())
    os.close(writing)
    file = WatchedFile.load(Path(f"/dev/fd/{reading}"))
    os.close(reading)

    async with asyncio.timeout(5):
        await file.watch(clock)

    assert [tenant.id for tenant in file.current.value.tenants] == ["acme"]


def test_a_start_without_a_file_says_how_to_write_one(tmp_path):
    with pytest.raises(ConfigurationError, match="config example"):
        WatchedFile.load(None)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        WatchedFile.load(tmp_path / "none.yaml")
