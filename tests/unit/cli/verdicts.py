"""What `analyze` and `import` say of one file, without a server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from neonblue.cli.analyze_data import Options, read_experiment
from neonblue.simulation.plan import make_plan
from neonblue.statistics import Plan, analyze
from neonblue.tables.blanks import Policies
from neonblue.tables.errors import FileError
from neonblue.tables.reading import Sheet
from neonblue.tables.report import FileReport
from neonblue.tables.roles import Options as FileOptions

START = datetime(2025, 7, 1, tzinfo=UTC)

Verdict = FileReport | str
"""How the file was read, or why it was refused."""


def of_analysis(path: Path, options: FileOptions, missing: tuple[str, ...] = ()) -> Verdict:
    """What `analyze` says; the statistics must hold for whatever was read."""
    try:
        data = read_experiment(path, Options(options, missing=Policies.parse(missing)))
    except FileError as error:
        return str(error)
    analyze(data.experiment, Plan(ended=True))
    return data.file


def of_import(path: Path, options: FileOptions, missing: tuple[str, ...] = ()) -> Verdict:
    """What `import` says, and what it would send."""
    try:
        sheet = Sheet.open(path, options)
        if sheet.roles.time is None:
            sheet = Sheet.open(path, replace(options, start=START))
        plan = make_plan(sheet, missing=missing)
        plan.experiment("key", {})
    except FileError as error:
        return str(error)
    readings = list(plan.readings())
    assigned = [found for reading in readings if (found := plan.assignment("key", reading))]
    assert len(readings) == plan.reading.report().read
    assert len({assignment.user_id for assignment in assigned}) == len(assigned) == plan.reading.units
    return plan.reading.report()
