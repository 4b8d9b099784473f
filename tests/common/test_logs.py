"""What reaches the log, and what must not."""

import asyncio
import gc
import io
import json
import logging
import threading
import warnings
from pathlib import Path
from uuid import UUID

import pytest
import structlog
from pydantic import SecretStr
from structlog.testing import capture_logs

from libs.common import logs
from libs.common.contracts.mail import Disposition
from libs.common.errors import TransientError

SECRET = "hunter2-s3cr3t"  # the tests' needle: it may stand in no line
MAIL = "Dear Ann, your invoice"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def configured(own_logging):
    def configure(stream, **options):
        logs.configure(stream=stream, **options)
        return structlog.get_logger()

    return configure


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def log(configured, stream):
    return configured(stream)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_time_level_and_event_first(log, stream):
    log.info("mail_accepted", size_bytes=12, tls=True, flags=("a", "b"), region=None)

    (line,) = lines(stream)
    assert list(line)[:3] == ["time", "level", "event"]
    assert line["time"].endswith("Z")
    assert line | {"time": ""} == {
        "time": "",
        "level": "info",
        "event": "mail_accepted",
        "size_bytes": 12,
        "tls": True,
        "flags": ["a", "b"],
        "region": None,
    }


def test_below_the_level_nothing_is_written(configured, stream):
    log = configured(stream, level="WARNING")
    log.info("mail_accepted")
    log.warning("graph_throttled")

    assert [line["event"] for line in lines(stream)] == ["graph_throttled"]


def test_what_the_consumer_binds_is_on_every_line(log, stream):
    with structlog.contextvars.bound_contextvars(message_id="m1", attempt=2):
        log.info("copy_moved")

    assert lines(stream)[0]["message_id"] == "m1"
    assert lines(stream)[0]["attempt"] == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"authorization": SECRET},
        {"Authorization": SECRET},
        {"accessToken": SECRET},
        {"client_secret": SECRET},
        {"password": SECRET},
        {"journal_token": SECRET},
        {"subject": SECRET},
        {"body": SECRET},
        {"body_preview": SECRET},
        {"display_name": SECRET},
        {"displayName": SECRET},
        {"postgres_dsn": SECRET},
        {"api-key": SECRET},
        {"headers": {"Cookie": SECRET}},
        {"request": {"headers": [SECRET]}},
        {"request": [{"deep": {"password": SECRET}}]},
        {"value": SecretStr(SECRET)},
        {"url": f"postgresql://user:{SECRET}@db.example/x"},
        {"url": f"amqps://user:{SECRET}@mq.example:5671/%2f?heartbeat=5"},
        {"dsn_text": f"host=db password={SECRET} user=x"},
        {"said": f"sent Authorization: Bearer {SECRET}"},
        {"said": "got eyJ" + SECRET + ".payload.sig"},
        {"url": f"https://store.example/x?sig={SECRET}&se=1"},
        {"at": Path(f"/x?token={SECRET}")},
        {"content": SECRET.encode()},
        {"raw": SECRET},
        {"error": ValueError(SECRET)},
        {"object": type("Copy", (), {"__repr__": lambda _: SECRET})()},
    ],
)
def test_no_secret_and_no_mail_is_written(log, stream, fields):
    log.info("something_happened", **fields)

    assert SECRET not in stream.getvalue()
    assert lines(stream)[0]["event"] == "something_happened"


def test_identifiers_and_numbers_are_written_as_they_are(log, stream):
    log.info(
        "copy_moved",
        copy_id=UUID(int=5),
        disposition=Disposition.SPAM,
        path=Path("/var/lib/undeliver"),
        token_count=3,
        mailbox="ann@example.com",
        content_type="text/html",
    )

    (line,) = lines(stream)
    assert line["copy_id"] == "00000000-0000-0000-0000-000000000005"
    assert line["disposition"] == "spam"
    assert line["path"] == "/var/lib/undeliver"
    assert line["token_count"] == 3
    assert line["mailbox"] == "ann@example.com"
    assert line["content_type"] == "text/html"


def test_text_from_mail_can_neither_forge_a_line_nor_drive_a_terminal(configured):
    for stream, options in ((io.StringIO(), {}), (Terminal(), {"output": "console"})):
        log = configured(stream, **options)
        log.info("mail_accepted", internet_message_id="<a>\n{}\x1b[2J\x9b\u202e", **{"k\n\x1b": 1})

        shown = stream.getvalue()
        assert shown.count("\n") == 1
        assert "\x1b[2J" not in shown
        assert "\x9b" not in shown
        assert "\u202e" not in shown


def test_a_long_value_a_long_list_and_a_deep_one_are_bounded(log, stream):
    deep = []
    deep.append(deep)
    log.info("mail_accepted", long="x" * 10_000_000, many=list(range(100_000)), deep=deep)

    assert len(stream.getvalue()) < 5000


def test_an_exception_is_named_and_located_but_not_quoted(log, stream):
    try:
        try:
            raise ValueError(MAIL)
        except ValueError as cause:
            raise ExceptionGroup(
                MAIL, [KeyError(MAIL), TransientError("graph_throttled")]
            ) from cause
    except ExceptionGroup:
        log.exception("delivery_failed")

    (line,) = lines(stream)
    assert MAIL not in stream.getvalue()
    assert [each["type"].rpartition(".")[2] for each in line["exception"]] == [
        "ExceptionGroup",
        "KeyError",
        "TransientError",
        "ValueError",
    ]
    assert line["exception"][2]["says"] == "graph_throttled"
    assert f"{__file__}:" in line["exception"][0]["frames"][0]


def test_an_exception_that_causes_itself_ends(log, stream):
    error = ValueError(MAIL)
    error.__cause__ = KeyError()
    error.__cause__.__cause__ = error

    log.error("delivery_failed", exc_info=error)

    assert len(lines(stream)[0]["exception"]) == 2


def test_a_terminal_gets_colours_and_a_traceback_below(configured):
    terminal = Terminal()
    log = configured(terminal)
    try:
        raise ValueError(MAIL)
    except ValueError:
        log.exception("delivery_failed")

    assert "\x1b[" in terminal.getvalue()
    assert "ValueError" in terminal.getvalue()
    assert MAIL not in terminal.getvalue()


def test_libraries_are_heard_from_warning_up_without_their_arguments(log, stream):
    library = logging.getLogger("aiosmtpd.test")
    library.info("connection from %s", MAIL)
    library.warning("peer %r said something odd", MAIL)
    library.error(f"formatted: {MAIL}")
    try:
        raise RuntimeError(MAIL)
    except RuntimeError:
        library.exception("went wrong")

    warned, formatted, failed = lines(stream)
    assert MAIL not in stream.getvalue()
    assert warned["event"] == "library_warned"
    assert warned["logger"] == "aiosmtpd.test"
    assert warned["said"] == "peer %r said something odd"
    assert formatted["said"] is None
    assert formatted["level"] == "error"
    assert f"{__file__}:" in formatted["at"]
    assert failed["exception"][0]["type"] == "RuntimeError"


def test_a_task_that_nobody_awaited_is_reported_without_its_text(log, stream):
    async def fail():
        raise ValueError(MAIL)

    async def forget():
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])

    asyncio.run(forget())
    gc.collect()

    (line,) = lines(stream)
    assert line["logger"] == "asyncio"
    assert line["exception"][0]["type"] == "ValueError"
    assert MAIL not in stream.getvalue()


def test_a_thread_a_finaliser_and_a_warning_are_reported_without_their_text(log, stream):
    class Finaliser:
        def __del__(self):
            raise ValueError(MAIL)

    def fail():
        raise ValueError(MAIL)

    thread = threading.Thread(target=fail, name="blob-writer")
    # pytest puts its own hooks around each test, after ours.
    logs.configure(stream=stream)
    thread.start()
    thread.join()
    Finaliser()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning(UserWarning(MAIL), UserWarning, "module.py", 7)

    assert [line["event"] for line in lines(stream)] == [
        "thread_failed",
        "exception_ignored",
        "python_warned",
    ]
    assert MAIL not in stream.getvalue()


def test_a_log_that_cannot_be_written_stops_no_work(configured):
    closed = io.StringIO()
    log = configured(closed)
    closed.close()

    log.info("mail_accepted")


def test_configuring_twice_writes_each_line_once(configured, stream):
    configured(stream)
    configured(stream)
    logging.getLogger("library").warning("once")

    assert len(lines(stream)) == 1


def test_events_can_still_be_captured_in_tests(log):
    with capture_logs() as captured:
        log.info("mail_accepted", size_bytes=1)

    assert captured == [{"event": "mail_accepted", "size_bytes": 1, "log_level": "info"}]
