"""The life of a process, seen from outside: signals in, exit code and words out."""

import asyncio
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager

import pytest

from libs.common.errors import ConfigurationError, PermanentError, StartError, TransientError
from libs.common.runtime import exit_code, run, run_command, run_together

pytestmark = pytest.mark.usefixtures("own_logging")

_PRELUDE = """
import asyncio, sys, threading, time
from libs.common import logs
from libs.common.runtime import run, run_command, run_together

def say(word):
    print(word, flush=True)

"""


@contextmanager
def process(source):
    with subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + textwrap.dedent(source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout.readline() == "begun\n"
            yield child
        finally:
            child.kill()


_CLEAN = """
async def main():
    say("begun")
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.01)
        say("cleaned up")
"""

_STUBBORN = """
async def main():
    say("begun")
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            say("refuses")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_told_to_stop_cleans_up_and_has_succeeded(number):
    with process(_CLEAN + "sys.exit(run(main))") as child:
        child.send_signal(number)
        out, _ = child.communicate(timeout=20)

    assert out == "cleaned up\n"
    assert child.returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_command_stopped_early_cleans_up_and_says_so_by_its_code(number, code):
    with process(_CLEAN + "sys.exit(run_command(main))") as child:
        child.send_signal(number)
        out, err = child.communicate(timeout=20)

    assert out == "cleaned up\n"
    assert "Traceback" not in err
    assert child.returncode == code


def test_a_second_signal_ends_at_once():
    with process(_STUBBORN + "sys.exit(run(main, grace_seconds=60))") as child:
        child.send_signal(signal.SIGTERM)
        assert child.stdout.readline() == "refuses\n"
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)

    assert child.returncode == 143


def test_who_does_not_stop_in_the_grace_period_is_ended():
    with process(_STUBBORN + "sys.exit(run(main, grace_seconds=0.1))") as child:
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=20)

    assert child.returncode == 1
    assert "stop_overran" in err


def test_a_thread_that_does_not_return_holds_nothing_up():
    source = """
        async def main():
            say("begun")
            await asyncio.to_thread(time.sleep, 100)

        sys.exit(run(main, grace_seconds=0.1))
    """
    with process(source) as child:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)

    assert child.returncode == 1


def test_a_bug_is_logged_without_what_it_quotes():
    source = """
        logs.configure()

        async def main():
            say("begun")
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())

        async def fail():
            raise ValueError("Dear Ann")

        sys.exit(run(main))
    """
    with process(source) as child:
        _, err = child.communicate(timeout=20)

    assert child.returncode == 1
    assert '"process_failed"' in err
    assert "ValueError" in err
    assert "Dear Ann" not in err


def returning(code):
    async def main():
        return code

    return main


def raising(error):
    async def main():
        raise error

    return main


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_command_ends_with_its_own_code(code):
    assert run_command(returning(code)) == code


def test_a_service_that_ends_by_itself_has_succeeded():
    assert run(returning(None)) == 0


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            ConfigurationError("a.yaml:3: x: is missing; add it\na.yaml:4: y: is not z"),
            2,
            "a.yaml:3: x: is missing; add it\na.yaml:4: y: is not z\n",
        ),
        (StartError("port 25 is taken"), 1, "undeliver: port 25 is taken\n"),
        (
            ExceptionGroup("", [ExceptionGroup("", [StartError("port 25 is taken")])]),
            1,
            "undeliver: port 25 is taken\n",
        ),
        (
            ExceptionGroup("", [StartError("no"), ConfigurationError("a.yaml:1: no")]),
            2,
            "a.yaml:1: no\n",
        ),
        (
            TransientError("database_unreachable", "no server on 127.0.0.1"),
            1,
            (
                "undeliver: the database does not answer: see that it runs, and its address "
                "(database_unreachable: no server on 127.0.0.1)\n"
            ),
        ),
        (
            ExceptionGroup(
                "", [PermanentError("no_such_tenant"), PermanentError("no_such_tenant")]
            ),
            1,
            "undeliver: what was asked for cannot be done (no_such_tenant)\n",
        ),
        (StartError("folder \x1b[2J is odd"), 1, "undeliver: folder \\x1b[2J is odd\n"),
    ],
)
def test_what_is_known_is_said_in_one_sentence(capsys, error, code, said):
    assert run(raising(error)) == code
    assert capsys.readouterr().err == said


_PRINTER = """
async def main():
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(write())

async def write():
    await asyncio.sleep(0)
    while True:
        print("more", flush=True)
"""


@pytest.mark.parametrize(("how", "code", "words"), [("run_command", 0, ""), ("run", 1, "failed")])
def test_a_command_ends_quietly_when_its_reader_does_and_a_service_does_not(how, code, words):
    source = _PRELUDE + _PRINTER + f"sys.exit({how}(main))"
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "more\n"
        child.stdout.close()
        err = child.stderr.read()

    assert child.returncode == code
    assert words in err
    assert (err == "") == (code == 0)


def test_a_broken_pipe_beside_another_failure_hides_nothing(capsys):
    group = ExceptionGroup("", [BrokenPipeError(), StartError("port 25 is taken")])

    assert run_command(raising(group)) == 1
    assert capsys.readouterr().err == "undeliver: port 25 is taken\n"


def test_a_task_that_cancels_itself_is_a_bug():
    assert run(raising(asyncio.CancelledError())) == 1


def test_a_bug_beside_a_known_failure_is_not_hidden():
    assert exit_code(ExceptionGroup("", [TransientError("x"), KeyError()])) == 1


async def test_loops_run_together_until_all_have_ended():
    ended = []

    def loop(name):
        async def run_once():
            await asyncio.sleep(0)
            ended.append((name, asyncio.current_task().get_name()))

        return run_once

    await run_together({"sweep": loop("sweep"), "lease": loop("lease")})

    assert ended == [("sweep", "sweep"), ("lease", "lease")]


async def test_the_first_loop_to_fail_ends_the_others():
    ended = []

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("wait")

    async def fail():
        raise StartError("lost its lease")

    with pytest.raises(ExceptionGroup) as caught:
        await run_together({"wait": wait, "fail": fail})

    assert ended == ["wait"]
    assert caught.group_contains(StartError, match="lost its lease")
    assert asyncio.current_task().cancelling() == 0  # else it would look as if told to stop
