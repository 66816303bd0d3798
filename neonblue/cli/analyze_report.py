"""The report of ``neonblue analyze``: one HTML file, made from the analysis of a data file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from neonblue import __version__
from neonblue.cli.analyze_data import FileData, Options, read_experiment
from neonblue.cli.terminal import fail
from neonblue.simulation.cells import is_blank
from neonblue.simulation.table import ImportFileError, Row, Table
from neonblue.statistics import Plan, Report

_MOST_VALUES = 20


@dataclass(frozen=True, slots=True)
class Part(Table):
    """Some of a file's rows, as a table of their own."""

    chosen: tuple[Row, ...] = ()

    def rows(self) -> Iterator[Row]:
        return iter(self.chosen)


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What the report is made of. options: as the whole file was read, so that its segments are read alike."""

    target: Path
    table: Table
    options: Options
    data: FileData
    plan: Plan
    analysis: Report
    segments: Sequence[str]


def write_report(request: ReportRequest) -> None:
    """Write the report. Ends the command where libraries are missing, or a segment can't be used."""
    try:
        from neonblue import reports
    except ModuleNotFoundError as error:
        fail(f"--report needs {error.name}: install neonblue[reports]")
    source = request.table.path
    provenance = reports.Provenance(f"the file {source.name}", datetime.now(UTC), __version__)
    name, experiment = source.name.split(".")[0], request.data.experiment
    report = reports.report_of_analysis(name, name, experiment, request.plan, request.analysis, provenance)
    notes = (f"{note.sentence}." for note in request.data.notes)
    report = replace(report, methods=(*report.methods, *notes))
    if request.segments:
        metrics = request.options.metrics or tuple(metric.name for metric in experiment.metrics)
        options = replace(
            request.options, control=experiment.control, metrics=metrics, weights=None, winsorize=None
        )
        try:
            parts = {
                reports.Segment(attribute, value): read_experiment(part, options).experiment
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
