"""Outcomes of runs in a file, one line of JSON each: many runs need not be of one sitting, nor of one machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from neonblue.faults.outcome import RunOutcome
from neonblue.faults.plan import Plan

_OUTCOME = TypeAdapter(RunOutcome)


class KeptError(Exception):
    """A file of outcomes can't be read or written; the message names it, and the line."""


def read(path: Path) -> dict[Plan, RunOutcome]:
    """The runs that a file holds, by their plan; of two of one plan the later one. No file yet: none.

    Raises KeptError.
    """
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise KeptError(f"{path}: {error.strerror}") from error
    found = {}
    for number, line in enumerate(lines, start=1):
        try:
            outcome = _OUTCOME.validate_json(line)
        except ValidationError as error:
            raise KeptError(f"{path}: line {number} is no outcome of a fault run") from error
        found[outcome.plan] = outcome
    return found


def keep(path: Path, outcome: RunOutcome) -> None:
    """Add a run to a file; its folder where it is there still. Raises KeptError."""
    line = _OUTCOME.dump_json(replace(outcome, folder="") if outcome.good else outcome)
    try:
        with path.open("ab") as file:
            file.write(line + b"\n")
    except OSError as error:
        raise KeptError(f"{path}: {error.strerror}") from error
