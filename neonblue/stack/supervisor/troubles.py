"""What is wrong with a running stack, each with the command that repairs it or shows more. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from neonblue.stack.supervisor.board import State
from neonblue.stack.supervisor.names import STANDBY, SUPERVISOR

LOW = "low:"
"""What the detail of a part begins with that still works, but not for long."""
_REPAIRS = {
    "stream-repair": "neonblue reconcile --repair",
    "disk": "neonblue doctor",
    STANDBY: "docker compose up --detach postgres-standby postgres-synchronous; to go on without it, or to copy it "
    "anew: docs/deploying.md#without-the-standby",
}
_LOGS = {"connector": "connect", "disk": SUPERVISOR}
_OF_THE_API = {
    "postgres": "neonblue logs postgres",
    "valkey": "neonblue logs valkey",
    "replication_slot": "neonblue logs connect",
    "stream": "neonblue logs connect",
}
_TOLD_BY_ITS_PART = "disk"
_OK = "ok"
_CREDENTIALS = re.compile(r"//[^/\s@]+@")


@dataclass(frozen=True, slots=True)
class Trouble:
    """about: the same trouble has the same. lasting: it may pass by itself within seconds, and is told if not."""

    about: str
    what: str
    command: str
    lasting: bool = True


class Part(Protocol):
    """A service or step as it is seen: from within or from the record on disk."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def detail(self) -> str: ...


def of_parts(parts: Iterable[Part], needs: Mapping[str, Collection[str]] | None = None) -> list[Trouble]:
    """Parts that are not ready, or soon won't be.

    needs: what each part needs, directly or not; one that needs another that is in trouble is left out.
    """
    found = {part.name: part for part in parts if part.state != State.READY or part.detail.startswith(LOW)}
    causes = [part for part in found.values() if not found.keys() & set((needs or {}).get(part.name, ()))]
    return [
        Trouble(
            part.name,
            f"{part.name}: {part.state}" + _because(part),
            command(part.name, part.kind),
            lasting=part.state != State.FAILED,
        )
        for part in causes
    ]


def of_api(components: Mapping[str, str]) -> list[Trouble]:
    """What the API's ``/readyz`` complains of. What it says of the stream has lasted already."""
    return [
        Trouble(
            f"api/{name}",
            f"{name}: {state}",
            _OF_THE_API.get(name, _REPAIRS.get(name, "neonblue logs api")),
            lasting=name != "stream",
        )
        for name, state in components.items()
        if state != _OK and name != _TOLD_BY_ITS_PART
    ]


def _because(part: Part) -> str:
    """What it says. An error may hold an address with who signs in there, and what is told goes to others."""
    detail = _CREDENTIALS.sub("//", part.detail).removeprefix(f"{part.name}: ")
    return f": {detail}" if detail else ""


def command(name: str, kind: str) -> str:
    """What repairs a part, or shows more of it. A step has no log of its own."""
    log = name if kind != "step" else _LOGS.get(name, SUPERVISOR)
    return _REPAIRS.get(name, f"neonblue logs {log}")
