"""What a running server is like."""

import os
from pathlib import Path

import asyncpg
import pytest

from tests.embedded_postgres_server.conftest import connected, is_there, mode_of, owner_of


async def test_it_serves_utf8_on_a_socket_only_and_is_gone_afterwards(place, serve_programs):
    async with serve_programs(place / "postgres") as server, connected(server.dsn()) as connection:
        described = await connection.fetchrow(
            "select current_setting('server_encoding') as encoding,"
            " current_setting('listen_addresses') as addresses,"
            " datcollate as collation from pg_database where datname = current_database()"
        )

    assert dict(described) == {"encoding": "UTF8", "addresses": "", "collation": "C"}
    with pytest.raises(OSError, match=r"No such file|refused"):
        await asyncpg.connect(server.dsn())


async def test_it_never_runs_as_root_and_no_other_account_may_enter_data_or_socket(
    data_folder, serve_programs
):
    async with serve_programs(data_folder) as server:
        runner = owner_of(Path(f"/proc/{server.pid}"))
        folders = [data_folder / name for name in ("cluster", "run")]

        assert runner != 0
        assert {owner_of(folder) for folder in folders} == {runner}
        assert {mode_of(folder) for folder in folders} == {0o700}


async def test_our_environment_does_not_reach_it(place, serve_programs, monkeypatch):
    for name in ("PGDATA", "PGPORT", "PGHOST", "LC_ALL"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    async with serve_programs(place / "postgres") as server:
        monkeypatch.undo()
        async with connected(server.dsn()) as connection:
            timezone = await connection.fetchval("show timezone")

    assert timezone in {"UTC", "Etc/UTC", "GMT"}


async def test_an_interrupt_from_the_terminal_passes_it_by(data_folder, serve_programs):
    async with serve_programs(data_folder) as server:
        assert os.getsid(server.pid) != os.getsid(0)


async def test_over_tcp_it_asks_for_the_password_and_listens_on_loopback_only(
    data_folder, serve_programs
):
    async with serve_programs(data_folder, tcp=True) as server:
        async with connected(server.dsn()) as connection:
            assert await connection.fetchval("show listen_addresses") == "127.0.0.1"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.dsn().replace(server.password, "guess"))


async def test_rows_stay_from_one_start_to_the_next(data_folder, serve_programs):
    async with serve_programs(data_folder) as server, connected(server.dsn()) as connection:
        await connection.execute("create table notes as select 'kept' as note")

    async with serve_programs(data_folder) as server, connected(server.dsn()) as connection:
        assert await connection.fetchval("select note from notes") == "kept"


async def test_a_path_too_long_for_a_socket_gets_a_short_one_for_as_long_as_it_runs(
    data_folder, serve_programs
):
    deep = data_folder.rename(data_folder.with_name("long" * 20))

    async with serve_programs(deep) as server, connected(server.dsn()) as connection:
        sockets = Path(await connection.fetchval("show unix_socket_directories"))
        assert mode_of(sockets) == 0o700

    assert not sockets.is_relative_to(deep)
    assert not is_there(sockets)


async def test_the_log_holds_nothing_of_what_statements_held(data_folder, serve_programs):
    async with serve_programs(data_folder) as server, connected(server.dsn()) as connection:
        await connection.execute("create table notes (note text primary key)")
        await connection.execute("insert into notes values ('secret subject')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("insert into notes values ('secret subject')")
        with pytest.raises(asyncpg.InvalidTextRepresentationError):
            await connection.execute("select 'secret subject'::int")

    log = (data_folder / "server.log").read_text()
    assert "ready to accept connections" in log
    assert "secret" not in log
