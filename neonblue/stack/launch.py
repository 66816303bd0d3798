"""Becomes a service's program, after tying its life to the supervisor's.

``launch.py SPECIFICATION PROGRAM ARGUMENT…``

Run as a script, with the standard library alone, so that it costs milliseconds. It stands between the
supervisor and the program because code between fork and exec is not safe in a process with threads.
The specification is JSON: ``parent``, ``death_signal``, ``nice``; ``uid``, ``gid`` where the user changes.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
OPEN_FILES = 65536


def main() -> None:
    specification = json.loads(sys.argv[1])
    # What the supervisor blocks or ignores must reach the service: stopping it depends on that.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    if specification["nice"]:
        yield_to_others(specification["nice"])
    if "uid" in specification:
        os.setgroups([])
        os.setgid(specification["gid"])
        os.setuid(specification["uid"])
    # After the change of user, which clears it.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, specification["death_signal"], 0, 0, 0)
    if os.getppid() != specification["parent"]:
        sys.exit("the supervisor is gone")
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606


def yield_to_others(nice: int) -> None:
    """Leave the processors to other services, by so much.

    Linux may share time between sessions first and among the processes of each after that (autogroups, sched(7)).
    Each service is a session of its own, so there its niceness alone would change nothing.
    """
    os.nice(nice)
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as group:  # noqa: PTH123
        group.write(str(nice))


if __name__ == "__main__":
    main()
