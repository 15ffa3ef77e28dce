"""Becomes Postgres: drops to its user, ties it to us or sets it free, then runs it. Started as a script, not imported.

Arguments: `tied`, `child` or `free`, the pid of who started it, uid and gid to drop to (or `-`), then the command.
tied: the kernel sends SIGQUIT when the thread that started us ends. It must be asked for after the change of user,
which clears it, and before the command; only here is both possible without running Python between fork and exec of
a process with threads.
child: like any other child process, for where the kernel has no such tie.
free: outlives whoever started it; its pid is printed.
Source: prctl(2), PR_SET_PDEATHSIG.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _drop(uid: str, gid: str) -> None:
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))


def _tie(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGQUIT))
    if os.getppid() != parent:
        sys.exit("whoever wanted this Postgres has ended")


def _set_free() -> None:
    child = os.fork()
    if child:
        os.write(1, f"{child}\n".encode())
        os._exit(0)
    os.setsid()
    # The pipe that carried the pid must end with it; Postgres writes to its log only.
    os.dup2(2, 1)


def main(mode: str, parent: str, uid: str, gid: str, *command: str) -> None:
    """Runs `command` in our place."""
    _drop(uid, gid)
    if mode == "tied":
        _tie(int(parent))
    elif mode == "free":
        _set_free()
    os.execv(command[0], command)  # noqa: S606 (our own argument list)


if __name__ == "__main__":
    main(*sys.argv[1:])
