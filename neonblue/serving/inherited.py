"""What whoever started this process has handed over: listening sockets, and a pipe to tell that it takes connections.

As systemd does it: descriptors from 3 on, ``LISTEN_FDS`` of them, for the process ``LISTEN_PID``, their names in
``LISTEN_FDNAMES``. One that is called ``ready`` is the pipe, the others are sockets.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass

_FIRST = 3
_READY = "ready"
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


@dataclass(slots=True)
class Inherited:
    """`sockets` are empty where none was handed over: then the process opens its own."""

    sockets: list[socket.socket]
    pipe: int | None = None

    def announce(self) -> None:
        """Tell, once, that connections are taken. Whoever asked for it may be gone."""
        if self.pipe is not None:
            with contextlib.suppress(OSError):
                os.write(self.pipe, b"1")
            os.close(self.pipe)
            self.pipe = None


def take() -> Inherited:
    """Take what is for this process, so that none it starts gets it. Raises ``ValueError`` on numbers that are none."""
    given = [os.environ.pop(name, "") for name in _VARIABLES]
    found = Inherited([])
    if not given[0] or int(given[0]) != os.getpid():
        return found
    count, names = int(given[1] or 0), given[2].split(":")
    for place in range(count):
        os.set_inheritable(_FIRST + place, False)
        if place < len(names) and names[place] == _READY:
            found.pipe = _FIRST + place
        else:
            found.sockets.append(socket.socket(fileno=_FIRST + place))
    return found
