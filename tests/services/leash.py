"""Run by its path, as a program of its own: run a program that dies with the test session.

    leash.py PARENT_PID PROGRAM [ARGUMENT…]

The kernel kills it when the session's thread ends, however that ends; only Linux can. It keeps the
process id, so that whoever started it holds the program's own.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def _main(parent_pid: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit("error: the parent died before the leash was on")
    os.execv(command[0], command)


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2:])
