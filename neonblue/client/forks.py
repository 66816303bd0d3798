"""What a client does in a forked child: threads, tasks and connections are the parent's alone."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """Begins anew in a forked child."""

    def _after_fork(self) -> None: ...


_known: WeakSet[Renewable] = WeakSet()


def renew_after_fork(client: Renewable) -> None:
    """Have the client begin anew in every child that is forked from now on."""
    _known.add(client)


def _after_fork() -> None:
    for client in list(_known):
        client._after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
