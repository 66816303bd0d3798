"""What the supervisor knows of its services, by its record on disk. Where no stack runs there is nothing to tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neonblue.monitoring.samples import Family, Sample
from neonblue.stack.supervisor.board import State
from neonblue.stack.supervisor.overview import Overview, take

READY = Family("neonblue_service_ready", "1 where this service or step is ready", ("service", "kind"))
RESTARTS = Family(
    "neonblue_service_restarts_total", "How often this service was started again after a crash", ("service",)
)
MEMORY = Family(
    "neonblue_service_memory_bytes", "Memory of this service, what it shares counted in parts", ("service",)
)
CPU = Family("neonblue_service_cpu_seconds_total", "Processor time of this service's processes", ("service",))


class StackSource:
    """The stack in a data folder."""

    name = "stack"
    seconds = 15.0

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def look(self) -> Sequence[Sample]:
        return samples(take(self._data_dir))


def samples(overview: Overview) -> list[Sample]:
    """Of every service and step; of those that have processes here, also what they take."""
    found = []
    for view in overview.services:
        found.append(READY(view.state == State.READY, view.name, view.kind))
        if view.kind == "service":
            found.append(RESTARTS(view.restarts, view.name))
        if view.pid is not None:
            found += [MEMORY(view.memory_bytes, view.name), CPU(view.cpu_seconds, view.name)]
    return found
