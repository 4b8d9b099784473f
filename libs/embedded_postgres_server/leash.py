"""Run by its path, as a program of its own: become the server's account, and die with the parent.

    leash.py PARENT_PID UID GID PROGRAM [ARGUMENT…]      (UID -1: stay who we are)

A program in between instead of `preexec_fn`, which is unsafe in a process that has threads. Only
the standard library may be imported: it runs isolated, and as root until `os.setuid`.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def _main(parent_pid: int, uid: int, gid: int, command: list[str]) -> None:
    # A shell's `&` may have made SIGINT ignored, and Postgres' children inherit what is ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if uid >= 0:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
    except OSError as error:
        sys.exit(f"error: cannot become user {uid}: {error.strerror}")
    if sys.platform == "linux":
        # After the change of account, which would clear it. SIGINT is Postgres' fast shutdown.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit("error: the parent died before the leash was on")
    try:
        os.execv(command[0], command)  # noqa: S606 - our launcher chose the program
    except OSError as error:
        sys.exit(f"error: cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
