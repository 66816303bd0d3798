"""Starting, identifying and ending the operating system's processes of one service."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from neonblue.stack.processes.command import Command

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, told from a later one of the same number by its start time (seconds since the epoch)."""

    pid: int
    created: float


@dataclass(slots=True)
class Running:
    """A started program, leader of a session of its own."""

    popen: subprocess.Popen[bytes]
    identity: Identity
    stop_signal: signal.Signals
    started: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        return self.identity.pid

    def exit_code(self) -> int | None:
        return self.popen.poll()

    def ask_to_end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.popen.poll() is None:
                self.popen.send_signal(self.stop_signal)

    def end(self, timeout: float) -> bool:
        """Ask the program to stop; after `timeout` seconds kill it and all it started.

        True if it went by itself.
        """
        self.ask_to_end()
        try:
            self.popen.wait(timeout)
            graceful = True
        except subprocess.TimeoutExpired:
            graceful = False
        kill(members(self.identity))
        self.popen.wait()
        return graceful


def start(command: Command, log: Path) -> Running:
    """Start `command` in a session of its own, its output appended to `log`.

    Call it from a thread that lives as long as the program: the kernel ties the program to that thread.
    """
    specification: dict[str, object] = {
        "parent": os.getpid(),
        "death_signal": int(command.death_signal),
        "nice": command.nice,
    }
    if command.account is not None:
        specification |= {"uid": command.account.uid, "gid": command.account.gid}
        specification["capability"] = command.account.capability
    if command.confinement is not None:
        specification["confinement"] = command.confinement.rules()
    if command.descriptors:
        specification["descriptors"] = command.descriptors
    arguments = [sys.executable, "-I", "-S", str(_LAUNCHER), json.dumps(specification), *command.arguments]
    with log.open("ab") as output:
        popen = subprocess.Popen(
            arguments,
            cwd=command.folder,
            env=dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[number for _, number in command.descriptors],
        )
    return Running(popen, Identity(popen.pid, _created(popen.pid)), command.stop_signal)


def yield_to_others(identity: Identity, nice: int) -> None:
    """Leave the processors to other services by so much, from now on, as a start with `nice` does from the beginning.

    As there, threads and processes that exist by now are told one by one, and the session as a whole.
    """
    for process in members(identity):
        with contextlib.suppress(psutil.Error):
            for thread in process.threads():
                with contextlib.suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, thread.id, nice)
    with contextlib.suppress(OSError):
        Path(f"/proc/{identity.pid}/autogroup").write_text(str(nice), encoding="ascii")


def _created(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return time.time()


def alive(identity: Identity) -> bool:
    """Whether this very process runs (a zombie does not, unless threads of it are left)."""
    try:
        process = psutil.Process(identity.pid)
        return _same(process, identity) and _living(process)
    except psutil.NoSuchProcess:
        return False


def _same(process: psutil.Process, identity: Identity) -> bool:
    return bool(abs(process.create_time() - identity.created) < 1.0)


def members(identity: Identity) -> list[psutil.Process]:
    """The process, its descendants, and whoever else lives in its session.

    The kernel does not give a number to a new process while a session of that number has members; so when the
    leader is gone its session's members are still ours, and when the number has a new owner there are none.
    """
    found: dict[int, psutil.Process] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        leader = psutil.Process(identity.pid)
        if not _same(leader, identity):
            return []
        found = {process.pid: process for process in (leader, *leader.children(recursive=True))}
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if process.pid not in found and os.getsid(process.pid) == identity.pid:
                found[process.pid] = process
    return [process for process in found.values() if _living(process)]


def _living(process: psutil.Process) -> bool:
    """A killed process holds its files and ports until its last thread is gone; its first may be so long before."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False


def kill(
    processes: Iterable[psutil.Process], first: signal.Signals = signal.SIGKILL, grace: float = 0.0
) -> None:
    """Send `first`, wait up to `grace` seconds, then SIGKILL what is left and wait for it."""
    remaining = list(processes)
    if not remaining:
        return
    for process in remaining:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(first)
    _, remaining = psutil.wait_procs(remaining, timeout=grace or 5)
    for process in remaining:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(remaining, timeout=5)
