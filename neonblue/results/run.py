"""What one scheduled run publishes: an experiment's snapshot with its report, or the overview of some days."""

from __future__ import annotations

from datetime import date

from clickhouse_connect.driver.client import Client

from neonblue.reports import Format, render_figures, render_overview, render_report
from neonblue.results.look import look
from neonblue.results.publish import HTML, Rendered, ReportLine, publish
from neonblue.results.report import overview_of, report_of
from neonblue.results.snapshot import Snapshot, snapshot_of, store_snapshot
from neonblue.results.store import ReportStore
from neonblue.results.warehouse import Warehouse


def publish_snapshot(client: Client, key: str, run_id: str) -> Snapshot | None:
    """Store the experiment's results as they are now; None where it has none. Raises ClickHouse's error."""
    warehouse = Warehouse.of(client)
    # Before the numbers: whatever had arrived by then is in them.
    offsets = warehouse.offsets()
    snapshot = snapshot_of(look(warehouse, key), offsets, run_id)
    if snapshot is not None:
        store_snapshot(client, snapshot)
    return snapshot


def publish_report(client: Client, store: ReportStore, key: str, run_id: str) -> tuple[ReportLine, ...]:
    """Keep the experiment's report as of now, with its figures as PDF. Raises ClickHouse's or the store's error."""
    warehouse = Warehouse.of(client)
    seen = look(warehouse, key)
    made = report_of(warehouse, seen)
    page = Rendered("report.html", made.title, HTML, render_report(made).encode())
    figures = tuple(
        Rendered(figure.name, figure.title, figure.media_type, figure.content)
        for figure in render_figures(made, Format.PDF)
    )
    identity = (seen.answer.experiment_id, key)
    return publish(client, store, (page, *figures), seen.stamp, run_id, identity)


def publish_overview(
    client: Client, store: ReportStore, first: date, last: date, run_id: str
) -> tuple[ReportLine, ...]:
    """Keep the overview of the experiments that ran on these days. Raises ClickHouse's or the store's error."""
    warehouse = Warehouse.of(client)
    made = overview_of(warehouse, first, last)
    stamp = look(warehouse, "").stamp
    page = Rendered("overview.html", f"Experiments, {first} to {last}", HTML, render_overview(made).encode())
    return publish(client, store, (page,), stamp, run_id)
