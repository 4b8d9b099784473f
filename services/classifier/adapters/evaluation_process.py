"""A worker process: reads messages from stdin, writes verdicts to stdout, until stdin ends.

Started by `evaluation_pool`, with its limits as arguments. A message that takes too much CPU time
ends the process (SIGXCPU); the pool notices and starts another.
"""

import resource
import signal
import sys
import traceback
from typing import BinaryIO

from services.classifier.adapters.evaluation_frames import (
    ANSWER_HEAD,
    ANSWERS,
    REQUEST_HEAD,
    REQUESTS,
    Answer,
    Request,
)
from services.classifier.domain import evaluation
from services.classifier.domain.files import judge_file


def main(cpu_seconds: int, memory_bytes: int) -> None:
    """Answer requests, each within its limits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (job := _next(source)) is not None:
        _allow(cpu_seconds)
        content = ANSWERS.dump_json(_answer(*job))
        sink.write(ANSWER_HEAD.pack(len(content)) + content)
        sink.flush()


def _next(source: BinaryIO) -> tuple[Request, bytes] | None:
    head = source.read(REQUEST_HEAD.size)
    if len(head) < REQUEST_HEAD.size:
        return None
    json_bytes, raw_bytes = REQUEST_HEAD.unpack(head)
    request = REQUESTS.validate_json(source.read(json_bytes))
    return request, source.read(raw_bytes)


def _allow(cpu_seconds: int) -> None:
    """Give the next message its CPU time, beyond what the process has used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + cpu_seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _answer(request: Request, raw: bytes) -> Answer:
    try:
        if request.about is None:
            return Answer(questions=evaluation.questions(raw))
        judge = judge_file if request.is_file else evaluation.judge
        return Answer(verdict=judge(raw, request.about))
    except MemoryError:
        return Answer(failure="memory")
    except Exception as error:  # noqa: BLE001 - the edge of a process: its caller logs the place
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return Answer(failure="failed", place=f"{type(error).__name__} {frame.name}:{frame.lineno}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
