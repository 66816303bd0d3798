"""Reports as one HTML file each: styles and drawings inside, no script, nothing fetched."""

from __future__ import annotations

from functools import cache

import jinja2
from markupsafe import Markup

from neonblue.findings.effect import shown
from neonblue.findings.facts import facts_of
from neonblue.findings.glossary import GLOSSARY
from neonblue.findings.heading import heading_of
from neonblue.reports import wording
from neonblue.reports.drawing import Drawing, Width
from neonblue.reports.model import ExperimentReport, Overview
from neonblue.reports.sections import sections_of
from neonblue.statistics.experiment.wording import FINDINGS
from neonblue.texts import instant, plain


def render_report(report: ExperimentReport) -> str:
    """One experiment's report as an HTML document."""
    sections = sections_of(report)
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            heading=heading_of(report.about, report.said),
            facts=facts_of(report.about, report.units) if report.about else _file_facts(report),
            rows=[(effect, shown(effect)) for effect in report.effects],
            words=GLOSSARY,
            findings=FINDINGS,
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
        .render(
            overview=overview,
            lines=[(line, heading_of(line.about, line.said)) for line in overview.experiments],
            first=overview.first_day,
            last=overview.last_day,
        )
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
    environment.filters["instant"] = instant
    environment.filters["plain"] = plain
    environment.filters["count"] = wording.count
    environment.filters["minus"] = wording.true_minus
    environment.globals["say"] = wording
    return environment


def _svg(drawing: Drawing, width: Width) -> Markup:
    # Safe: matplotlib escapes the texts it writes, and `for_page` those it adds.
    return Markup(drawing.svg(width))  # noqa: S704


def _file_facts(report: ExperimentReport) -> tuple[tuple[str, str], ...]:
    units = () if report.units is None else (("units", wording.count(report.units)),)
    return (*units, ("arms", ", ".join(report.arms)), ("source", report.provenance.source))
