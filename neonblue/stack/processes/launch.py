"""Becomes a service's program, after tying its life to the supervisor's and giving up what the program needs not.

``launch.py SPECIFICATION PROGRAM ARGUMENT…``

Run as a script, with the standard library alone, so that it costs milliseconds. It stands between the
supervisor and the program because code between fork and exec is not safe in a process with threads.
The specification is JSON: ``parent``, ``death_signal``, ``nice``; ``uid``, ``gid`` where the user changes, and
``capability``, one that it keeps; ``confinement``, the rules of `landlock`; ``descriptors``, pairs of a name and the
number of an open file for the program, which gets them as systemd hands sockets over.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import signal
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neonblue.stack.processes import landlock
else:
    # Python runs isolated here: it sees no folder but its own library's.
    sys.path.append(os.path.dirname(__file__))  # noqa: PTH120
    import landlock

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
ALL_FILES = (1, 2)
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: to root its folder may be another user's."""
CAPABILITIES_VERSION = 0x20080522
OPEN_FILES = 65536
FIRST_DESCRIPTOR, OUT_OF_THE_WAY = 3, 64


def main() -> None:
    specification = json.loads(sys.argv[1])
    # What the supervisor blocks or ignores must reach the service: stopping it depends on that.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    # What a service writes is its user's alone, and what it holds in memory goes to no file.
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if specification["nice"]:
        yield_to_others(specification["nice"])
    rules, known = specification.get("confinement"), landlock.version()
    # Before the change of user, who may not reach all that it is to read.
    ruleset = landlock.ruleset(rules, known) if rules and known >= landlock.FIRST_USABLE else None
    if "uid" in specification:
        change_user(specification["uid"], specification["gid"], specification.get("capability"))
    elif rules and os.geteuid() == 0:
        give_up_capabilities()
    # After the change of user, which clears it.
    landlock.prctl(PR_SET_PDEATHSIG, specification["death_signal"])
    if os.getppid() != specification["parent"]:
        sys.exit("the supervisor is gone")
    if ruleset is not None:
        landlock.enforce(ruleset)
    hand_over(specification.get("descriptors", []))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606


def change_user(uid: int, gid: int, capability: int | None) -> None:
    """Become another user, with no capability but the one given, which the program then has as well."""
    if capability is not None:
        landlock.prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if capability is None:
        return
    # Effective, permitted, inheritable: of the capabilities below 32, then of those above.
    held = struct.pack("=6I", *(1 << capability,) * 3, 0, 0, 0)
    library = ctypes.CDLL(None, use_errno=True)
    if library.capset(struct.pack("=Ii", CAPABILITIES_VERSION, 0), held) != 0:
        raise OSError(ctypes.get_errno(), "the capabilities can't be set")
    landlock.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def give_up_capabilities() -> None:
    """Leave root's program no more of them than it needs for files: others reach around Landlock."""
    for number in range(64):
        # Refused of those that this kernel has not, and where somebody has taken the right to do so.
        if number not in ALL_FILES:
            with contextlib.suppress(OSError):
                landlock.prctl(PR_CAPBSET_DROP, number)


def hand_over(descriptors: "list[tuple[str, int]]") -> None:
    """Leave these open for the program, from 3 on, and tell it how many they are and their names (sd_listen_fds(3))."""
    if not descriptors:
        return
    moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY) for _, number in descriptors]
    for _, number in descriptors:
        os.close(number)
    for place, number in enumerate(moved):
        os.dup2(number, FIRST_DESCRIPTOR + place, inheritable=True)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(descriptors))
    os.environ["LISTEN_FDNAMES"] = ":".join(name for name, _ in descriptors)


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
