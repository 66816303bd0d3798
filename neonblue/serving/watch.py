"""The connections of one server process: how many there are, and once a second what has become of each."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from ipaddress import ip_address
from typing import Protocol

from neonblue.serving.limits import ConnectionLimits

_SECONDS = 1.0
_LONGEST_STEP = 2.0
"""A process that stood still for longer can't hold that against its clients."""
_OTHER_FILES = 128
"""Open files that are no client's connection: the listening sockets, PostgreSQL, Valkey, logs."""
_TURNED_AWAY = 64
"""Connections that are told at the same time that there are too many; those after them are cut."""


class Watched(Protocol):
    """A connection. asked: whether it has sent the head of a request."""

    asked: bool

    def look(self, seconds: float) -> None:
        """End what has taken too long; so much time has passed since the last look."""

    def cut(self) -> None:
        """End at once."""


class Watch:
    """Counts connections and looks at each once a second. One for each event loop."""

    def __init__(self, limits: ConnectionLimits, loop: asyncio.AbstractEventLoop) -> None:
        self._limits = limits
        self._loop = loop
        self._open: dict[Watched, str] = {}
        self._addresses: Counter[str] = Counter()
        self._turned_away: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looked_at = 0.0
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = limits.connections
        if files != resource.RLIM_INFINITY:
            self._most = min(self._most, max(files - _OTHER_FILES, files // 2))

    def admit(self, connection: Watched, address: str) -> bool:
        """Whether there is place. A connection that never asked anything gives its place to a new one."""
        self._start()
        if len(self._open) >= self._most and not self._make_place(None):
            return False
        crowded = self._addresses[address] >= self._limits.of_one_address and not self._is_shared(address)
        if crowded and not self._make_place(address):
            return False
        self._open[connection] = address
        self._addresses[address] += 1
        return True

    def turn_away(self, connection: Watched) -> bool:
        """Whether it may be told that there is no place; else it is to be cut."""
        if len(self._turned_away) >= _TURNED_AWAY:
            return False
        self._turned_away.add(connection)
        return True

    def leave(self, connection: Watched) -> None:
        self._turned_away.discard(connection)
        address = self._open.pop(connection, None)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def _make_place(self, address: str | None) -> bool:
        """Cut the oldest connection, of this address, that never asked anything."""
        for connection, its_address in self._open.items():
            if not connection.asked and address in (None, its_address):
                self.leave(connection)
                connection.cut()
                return True
        return False

    def _is_shared(self, address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._limits.shared)

    def _start(self) -> None:
        if self._timer is None:
            self._looked_at = self._loop.time()
            self._timer = self._loop.call_later(_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        seconds = min(now - self._looked_at, _LONGEST_STEP)
        for connection in [*self._open, *self._turned_away]:
            connection.look(seconds)
        if self._open or self._turned_away:
            self._start()
