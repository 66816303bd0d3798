"""How a log line is shown: to people in columns, to programs as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from neonblue.log_lines import Line, read
from neonblue.log_lines.line import foreign, foreign_readable, uncoloured
from neonblue.stack.supervisor.log_times import parted

Show = Callable[[str, str], str]
"""show(the log's name, the line as it is in the file): what is printed."""


@dataclass(frozen=True, slots=True)
class Shown:
    """For people. `named`: with who wrote it; other programs' lines in a log shown alone come in their own form."""

    named: bool
    coloured: bool

    def __call__(self, name: str, line: str) -> str:
        if (ours := _ours(name, line)) is not None:
            return ours.readable(named=self.named, coloured=self.coloured)
        if not self.named:
            return uncoloured(line)
        moment, rest = parted(line)
        return foreign_readable(rest, name, _written(moment), coloured=self.coloured)


def as_written(name: str, line: str) -> str:
    """For programs: one JSON object a line."""
    if _ours(name, line) is not None:
        return line
    moment, rest = parted(line)
    return foreign(rest, name, _written(moment))


def _ours(name: str, line: str) -> Line | None:
    """A line that the log's own process wrote: any program's may look like one."""
    found = read(line)
    return found if found is not None and found.service == name else None


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"
