"""What one scheduled run publishes: an experiment's snapshot with its report, or the overview of some days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from clickhouse_connect.driver.client import Client

from neonblue.analysis.stamp import stamp_now
from neonblue.contract.looks import LookMessage
from neonblue.reports import Format, render_figures, render_overview, render_report
from neonblue.results.look import Look, look
from neonblue.results.publish import HTML, Rendered, ReportLine, publish
from neonblue.results.report import overview_of, report_of
from neonblue.results.snapshot import Snapshot, snapshot_of, store_snapshot
from neonblue.results.store import ReportStore
from neonblue.results.warehouse import Warehouse

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Publication:
    """What was kept of one look at an experiment. snapshot: None where it has no numbers; report: the page."""

    snapshot: Snapshot | None
    report: ReportLine
    figures: tuple[ReportLine, ...]


def publish_experiment(
    client: Client,
    store: ReportStore,
    key: str,
    run_id: str,
    figures: Format = Format.PNG,
    looks: Callable[[], Sequence[LookMessage]] = tuple,
    keep: Callable[[LookMessage], LookMessage | None] | None = None,
) -> Publication:
    """Keep the experiment's results as they are now, with the report and the figures made of them.

    looks: gives those that are kept. keep: keeps this one before anything of it is seen, where it counts, and gives the
    one that stands: each published look at a confidence sequence counts. Where another look was taken meanwhile, it is
    taken anew after that one. Raises what `looks` and `keep` raise, ClickHouse's or the store's error; ValueError where
    other looks come first again and again.
    """
    warehouse = Warehouse.of(client)
    # Before the numbers: whatever had arrived by then is in them.
    offsets = warehouse.offsets()
    seen = _kept_look(warehouse, key, looks, keep)
    snapshot = snapshot_of(seen, offsets, run_id)
    if snapshot is not None:
        store_snapshot(client, snapshot)
    made = report_of(warehouse, seen)
    page = Rendered("report.html", made.title, HTML, render_report(made).encode())
    drawn = (
        Rendered(figure.name, figure.title, figure.media_type, figure.content)
        for figure in render_figures(made, figures)
    )
    identity = (seen.answer.experiment_id, key)
    report, *others = publish(client, store, (page, *drawn), seen.stamp, run_id, identity)
    return Publication(snapshot, report, tuple(others))


def publish_overview(
    client: Client,
    store: ReportStore,
    first: date,
    last: date,
    run_id: str,
    looks: Callable[[str], Sequence[LookMessage]] = lambda _: (),
) -> ReportLine:
    """Keep the overview of the experiments that ran on these days. looks: gives those that are kept of an experiment.

    Raises ClickHouse's or the store's error.
    """
    warehouse = Warehouse.of(client)
    stamp = stamp_now(warehouse.watermark(), None)
    made = overview_of(warehouse, first, last, looks)
    page = Rendered("overview.html", f"Experiments, {first} to {last}", HTML, render_overview(made).encode())
    (line,) = publish(client, store, (page,), stamp, run_id)
    return line


def _kept_look(
    warehouse: Warehouse,
    key: str,
    looks: Callable[[], Sequence[LookMessage]],
    keep: Callable[[LookMessage], LookMessage | None] | None,
) -> Look:
    for _ in range(_TRIES):
        seen = look(warehouse, key, looks=looks(), taking=keep is not None)
        if keep is None or seen.to_keep is None:
            return seen
        stands = keep(seen.to_keep)
        if stands is not None and stands.cells == seen.to_keep.cells:
            return seen
    raise ValueError(f"{key}: other looks are taken at the same time, so this one could not be kept")
