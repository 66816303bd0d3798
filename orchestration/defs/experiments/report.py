"""An experiment's report, and the week's overview: looked at live, rendered, kept and listed.

Imported where it is used: the engine and what draws take seconds to load.
"""

from __future__ import annotations

from datetime import date

from clickhouse_connect.driver.client import Client

from neonblue.reports import Format, render_figures, render_overview, render_report
from neonblue.results.look import look
from neonblue.results.publish import HTML, Rendered, ReportLine, publish
from neonblue.results.report import overview_of, report_of
from neonblue.results.snapshot import snapshot_of, store_snapshot
from neonblue.results.stamp import stamp_now
from neonblue.results.store import ReportStore
from neonblue.results.warehouse import Warehouse
from neonblue.settings import Settings


def publish_experiment(client: Client, key: str, run_id: str) -> tuple[ReportLine, ...]:
    """Keep the experiment's results as they are now, with the report and the figures made of them."""
    warehouse = Warehouse.of(client)
    offsets = warehouse.offsets()
    seen = look(warehouse, key)
    if snapshot := snapshot_of(seen, offsets, run_id):
        store_snapshot(client, snapshot)
    report = report_of(warehouse, seen)
    files = [Rendered("report.html", report.title, HTML, render_report(report).encode())]
    files += [
        Rendered(figure.name, figure.title, figure.media_type, figure.content)
        for figure in render_figures(report, Format.PNG)
    ]
    return publish(
        client,
        ReportStore.of(Settings.load()),
        tuple(files),
        seen.stamp,
        run_id,
        (seen.answer.experiment_id, key),
    )


def publish_overview(client: Client, first: date, last: date, run_id: str) -> tuple[ReportLine, ...]:
    """Keep the overview of the experiments that ran on any of these days."""
    warehouse = Warehouse.of(client)
    stamp = stamp_now(warehouse.watermark(), None)
    page = render_overview(overview_of(warehouse, first, last)).encode()
    title = f"Experiments from {first.isoformat()} to {last.isoformat()}"
    return publish(
        client,
        ReportStore.of(Settings.load()),
        (Rendered("overview.html", title, HTML, page),),
        stamp,
        run_id,
    )
