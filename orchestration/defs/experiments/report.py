"""An experiment's report: rendered from its analysis, kept in the data folder."""

from __future__ import annotations

import html
from datetime import UTC, datetime

from neonblue.analysis import Question
from neonblue.settings import Settings
from neonblue.statistics import Report
from orchestration.defs.significance.repository import ExperimentData, RunStamp


def publish(experiment: ExperimentData, stamp: RunStamp) -> str:
    """Render the experiment's report and keep it; its path."""
    question = experiment.ask(datetime.now(UTC).date())
    page = render(question, question.answer(), stamp)
    name = f"{stamp.computed_at:%Y%m%dT%H%M%SZ}-{stamp.run_id[:8]}.html"
    path = Settings.load().data_dir / "reports" / str(question.configuration.experiment_id) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return str(path)


def render(question: Question, report: Report, stamp: RunStamp) -> str:
    """The page: the decision first, then the checks and the results."""
    title = html.escape(question.configuration.name or question.configuration.key)
    checks = "".join(f"<li>{html.escape(check.message)}</li>" for check in report.health)
    rows = "".join(
        f"<tr><td>{html.escape(result.metric.name)}</td><td>{html.escape(result.arm)}</td>"
        f"<td>{result.verdict}</td><td>{'–' if result.p_value is None else f'{result.p_value:.3g}'}</td></tr>"
        for result in report.results
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
        f"<p>{html.escape(report.decision.sentence)}</p><ul>{checks}</ul>"
        "<table><tr><th>Metric</th><th>Arm</th><th>Verdict</th><th>p</th></tr>"
        f"{rows}</table><p>Everything received up to {stamp.watermark.isoformat()} is in the numbers.</p></html>"
    )
