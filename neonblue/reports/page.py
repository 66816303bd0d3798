"""Reports as one HTML file each: styles and drawings inside, no script, nothing fetched."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import jinja2
from markupsafe import Markup

from neonblue.reports import wording
from neonblue.reports.drawing import Drawing, Width
from neonblue.reports.model import ExperimentReport, Outcome, Overview
from neonblue.reports.sections import sections_of

HEADLINES = {
    Outcome.SHIP: ("✓", "Ship"),
    Outcome.ROLL_BACK: ("✗", "Roll back"),
    Outcome.KEEP_RUNNING: ("…", "Keep running"),
    Outcome.INCONCLUSIVE: ("?", "No decision"),
    Outcome.INVALID: ("!", "Do not use these results"),
    Outcome.NO_DATA: ("○", "No data yet"),
}


def render_report(report: ExperimentReport) -> str:
    """One experiment's report as an HTML document."""
    sections = sections_of(report)
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            headline=HEADLINES[report.outcome],
            shown=[section for section in sections if section.drawings],
            missing=[section for section in sections if not section.drawings],
            widths=tuple(Width),
        )
    )


def render_overview(overview: Overview) -> str:
    """A week's experiments as an HTML document."""
    return (
        _environment()
        .get_template("overview.html")
        .render(overview=overview, headlines=HEADLINES, first=overview.first_day, last=overview.last_day)
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("neonblue.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["svg"] = _svg
    environment.filters["instant"] = _instant
    environment.filters["count"] = wording.count
    environment.filters["lift"] = wording.lift
    environment.filters["minus"] = wording.true_minus
    environment.globals["say"] = wording
    return environment


def _svg(drawing: Drawing, width: Width) -> Markup:
    # Safe: matplotlib escapes the texts it writes, and `for_page` those it adds.
    return Markup(drawing.svg(width))  # noqa: S704


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
