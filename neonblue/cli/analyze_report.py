"""The report of ``neonblue analyze``: one HTML file, made from the analysis of a data file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from neonblue import __version__
from neonblue.cli.analyze_data import FileData
from neonblue.cli.analyze_decision import decides
from neonblue.cli.terminal import fail
from neonblue.findings.effect import Effect
from neonblue.statistics import Plan, Report


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What the report is made of."""

    target: Path
    data: FileData
    plan: Plan
    analysis: Report


def write_report(request: ReportRequest) -> None:
    """Write the report. Ends the command where libraries are missing."""
    try:
        from neonblue import reports
    except ModuleNotFoundError as error:
        fail(f"--report needs {error.name}: install neonblue[reports]")
    data = request.data
    provenance = reports.Provenance(f"the file {data.name}", datetime.now(UTC), __version__)
    name = data.name.split(".")[0]
    report = reports.report_of_analysis(
        name, name, data.experiment, request.plan, request.analysis, provenance
    )
    effects = tuple(_with_cap(effect, data) for effect in report.effects)
    report = replace(report, effects=effects, methods=(*report.methods, *_notes(data)))
    if data.segments and not decides(data.experiment):
        none = "Segments show the metrics that decide, and none was named: say which with --metric."
        report = replace(report, segments=reports.Unavailable(none))
    elif data.segments:
        parts = {reports.Segment(*segment): experiment for segment, experiment in data.segments.items()}
        report = replace(report, segments=reports.segment_effects(parts, request.plan))
    page = reports.render_report(report)
    try:
        request.target.write_text(page, encoding="utf-8")
    except OSError as error:
        fail(f"--report: can't write {request.target}: {error.strerror}")


def _with_cap(effect: Effect, data: FileData) -> Effect:
    """The effect with what was capped beside its values."""
    notes = [note.short for note in data.caps if note.metric == effect.metric]
    return replace(effect, note=" ".join(filter(None, (effect.note, *notes))))


def _notes(data: FileData) -> Iterator[str]:
    for sentence in data.told:
        yield f"{sentence}."
    for sentence in data.file.sentences():
        yield f"File: {sentence}."
