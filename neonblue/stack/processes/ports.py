"""The loopback's ports: which the stack needs, which are taken, which are free."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from neonblue.stack.errors import PortsTakenError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class PortUse:
    """A port that a service listens on, and the setting that changes it."""

    port: int
    service: str
    setting: str


def taken(port: int) -> bool:
    """Whether something listens on the loopback's `port` (connections that linger don't count)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def check(uses: Iterable[PortUse]) -> None:
    """Raise ``PortsTakenError`` naming every port in use or wanted twice, and the setting to change."""
    problems = []
    wanted: dict[int, PortUse] = {}
    for use in uses:
        if use.port in wanted:
            other = wanted[use.port]
            problems.append(
                f"{use.port} is set for {other.service} and for {use.service}: change {use.setting}"
            )
        elif reason := _unusable(use.port):
            problems.append(f"{use.port} ({use.service}) {reason}: set {use.setting} to a free port")
        wanted.setdefault(use.port, use)
    if problems:
        raise PortsTakenError("these ports can't be had:\n  " + "\n  ".join(problems))


def _unusable(port: int) -> str:
    try:
        return f"is in use{_holder(port)}" if taken(port) else ""
    except PermissionError:
        return "is for root alone"
    except OSError as error:
        return f"can't be had ({error.strerror})"


def _holder(port: int) -> str:
    """`` by NAME (process PID)`` where the system tells."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""


def free_ports(count: int) -> list[int]:
    """`count` different ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        probes = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(count)
        ]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]
