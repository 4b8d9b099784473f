"""The process in which mail is parsed: `python -m services.ingest.adapters.parse_process`.

Reads requests from standard input and answers on standard output until the input ends. It has no
database, no network and no secrets; whoever takes it over with a message gains nothing, and one
that crashes takes no other mail with it.
"""

import resource
import signal
import sys
from dataclasses import replace
from typing import BinaryIO

from libs.common.journaling.parsing import parse
from services.ingest.adapters.parse_frames import READY, Answer, Request, read_request, write_answer


def main(memory_limit_bytes: int) -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for our parent to act on
    resource.setrlimit(resource.RLIMIT_AS, (memory_limit_bytes, memory_limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold mail
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each request in order."""
    while (request := read_request(requests)) is not None:
        write_answer(answers, _answer(request))
        answers.flush()


def _answer(request: Request) -> Answer:
    try:
        parsed = parse(request.raw, request.domains)
    except Exception:  # noqa: BLE001 - a bug of ours must not lose mail; its text may quote mail
        return Answer(None, None)
    decoded = parsed.original.decoded
    original = replace(parsed.original, decoded=None)
    return Answer(replace(parsed, original=original), decoded)


if __name__ == "__main__":
    main(int(sys.argv[1]))
