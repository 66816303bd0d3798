"""How a program is started, as values."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from neonblue.stack.processes.confinement import Confinement


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine that a service runs as; `capability` is the one that it keeps of root's."""

    name: str
    uid: int
    gid: int
    capability: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a service's program.

    `environment` may hold secrets; `arguments` never do. `death_signal` is what the kernel sends the program
    when the supervisor dies without stopping it. `descriptors` are open files of this process that the program gets,
    each with a name (`serving.inherited` takes them there).
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    account: Account | None = None
    confinement: Confinement | None = None
    nice: int = 0
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    descriptors: tuple[tuple[str, int], ...] = ()
