"""Listening sockets that the supervisor holds for a service, so that connections wait while its process is away."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from neonblue.stack.errors import PortsTakenError
from neonblue.stack.processes.ports import PortUse

BACKLOG = 4096
"""Connections that wait for a process; past it the kernel lets clients ask again. It takes its own limit where that is
lower (net.core.somaxconn)."""
NAME = "listening"
"""What a process is told of such a descriptor."""
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""An address that the name has and this machine has not, such as IPv6's."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service takes connections: `host` as its setting has it, empty for every address of this machine."""

    host: str
    use: PortUse


class Listener:
    """Open until `close`. Raises ``PortsTakenError`` with the setting to change."""

    def __init__(self, address: Address) -> None:
        self._sockets: list[socket.socket] = []
        try:
            self._open(address)
        except OSError as error:
            self.close()
            use = address.use
            raise PortsTakenError(
                f"{address.host or '*'}:{use.port} can't be listened on ({error.strerror or error}): "
                f"set {use.setting} to a free port, and {use.setting.removesuffix('PORT')}HOST to an address of "
                "this machine"
            ) from error

    def _open(self, address: Address) -> None:
        found = socket.getaddrinfo(
            address.host or None, address.use.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        absent: OSError | None = None
        for family, kind, protocol, _, place in dict.fromkeys(found):
            try:
                self._listen(family, kind, protocol, place)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
        if absent is not None and not self._sockets:
            raise absent

    def _listen(self, family: int, kind: int, protocol: int, place: object) -> None:
        made = socket.socket(family, kind, protocol)
        self._sockets.append(made)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind(place)  # type: ignore[arg-type]
            made.listen(BACKLOG)
        except OSError:
            self._sockets.remove(made)
            made.close()
            raise

    @property
    def descriptors(self) -> tuple[tuple[str, int], ...]:
        return tuple((NAME, one.fileno()) for one in self._sockets)

    def close(self) -> None:
        """Refuse connections from now on, and those that wait. A process that has the sockets keeps them."""
        while self._sockets:
            self._sockets.pop().close()


class Announcement:
    """A pipe by which a process tells, with one byte, that it takes connections."""

    NAME = "ready"

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self._made = False

    @property
    def descriptors(self) -> tuple[tuple[str, int], ...]:
        return ((self.NAME, self._write),)

    def handed_over(self) -> None:
        """The process has its end, and this one needs it no longer."""
        if self._write >= 0:
            os.close(self._write)
            self._write = -1

    def made(self) -> bool:
        """Whether it has been told."""
        if not self._made and self._read >= 0:
            try:
                self._made = bool(os.read(self._read, 1))
            except BlockingIOError:
                return False
            if self._made:
                self.close()
        return self._made

    def close(self) -> None:
        self.handed_over()
        if self._read >= 0:
            os.close(self._read)
            self._read = -1


class Door:
    """What is held for a service that connections are to wait for: its sockets, and what its newest process tells.

    Without an address there is nothing to hold.
    """

    def __init__(self, address: Address | None) -> None:
        self._address = address
        self._listener: Listener | None = None
        self._announcement: Announcement | None = None

    @contextmanager
    def for_a_process(self) -> Iterator[tuple[tuple[str, int], ...]]:
        """The descriptors that a new process is to get; from its start on. Raises ``PortsTakenError``."""
        if self._address is None:
            yield ()
            return
        if self._listener is None:
            self._listener = Listener(self._address)
        if self._announcement is not None:
            self._announcement.close()
        self._announcement = Announcement()
        try:
            yield (*self._listener.descriptors, *self._announcement.descriptors)
        finally:
            self._announcement.handed_over()

    @property
    def is_used(self) -> bool:
        """Whether the newest process takes connections; before, a question would only wait with all the others."""
        return self._announcement is None or self._announcement.made()

    def close(self) -> None:
        """Refuse connections from now on, until a process is started again."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._announcement is not None:
            self._announcement.close()
            self._announcement = None
