"""The report of ``neonblue analyze``: one HTML file, made from the analysis of a data file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from neonblue import __version__
from neonblue.cli.terminal import fail
from neonblue.simulation.cells import is_blank
from neonblue.simulation.table import ImportFileError, Row, Table
from neonblue.statistics import Experiment, Plan, Report

_MOST_VALUES = 20


@dataclass(frozen=True, slots=True)
class Part(Table):
    """Some of a file's rows, as a table of their own."""

    chosen: tuple[Row, ...] = ()

    def rows(self) -> Iterator[Row]:
        return iter(self.chosen)


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What the report is made of. experiment_of: analyses a part of the file's rows in the same way."""

    target: Path
    table: Table
    experiment: Experiment
    plan: Plan
    analysis: Report
    segments: Sequence[str]
    experiment_of: Callable[[Table], Experiment]


def write_report(request: ReportRequest) -> None:
    """Write the report. Ends the command where libraries are missing, or a segment can't be used."""
    try:
        from neonblue import reports
    except ModuleNotFoundError as error:
        fail(f"--report needs {error.name}: install neonblue[reports]")
    source = request.table.path
    provenance = reports.Provenance(f"the file {source.name}", datetime.now(UTC), __version__)
    name = source.name.split(".")[0]
    report = reports.report_of_analysis(
        name, name, request.experiment, request.plan, request.analysis, provenance
    )
    if request.segments:
        try:
            parts = {
                reports.Segment(attribute, value): request.experiment_of(part)
                for attribute in request.segments
                for value, part in _parts(request.table, attribute)
            }
        except ImportFileError as error:
            fail(str(error))
        report = replace(report, segments=reports.segment_effects(parts, request.plan))
    request.target.write_text(reports.render_report(report), encoding="utf-8")


def _parts(table: Table, attribute: str) -> Iterator[tuple[str, Table]]:
    place = table.index(attribute, "--segment")
    rows = tuple(table.rows())
    values = sorted({row.cells[place] for row in rows if not is_blank(row.cells[place])})
    if len(values) > _MOST_VALUES:
        raise ImportFileError(
            f"--segment: {attribute!r} has {len(values)} values; at most {_MOST_VALUES} can be segments"
        )
    for value in values:
        chosen = tuple(row for row in rows if row.cells[place] == value)
        yield value, Part(table.path, table.columns, table.digest, chosen)
