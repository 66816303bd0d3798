"""``neonblue bench``: the platform's figures on this machine, beside those it is built for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from neonblue.bench import assign as assigning
from neonblue.bench import ingest as ingesting
from neonblue.bench import queries as querying
from neonblue.bench import restarts as restarting
from neonblue.bench import statistics as analysing
from neonblue.bench.assign import AssignReport, Kind
from neonblue.bench.ingest import IngestReport, Load
from neonblue.bench.load import Plan
from neonblue.bench.queries import QueriesReport
from neonblue.bench.restarts import RestartsReport
from neonblue.bench.statistics import COMPARISONS, LOOKS, OVER_VERSIONS
from neonblue.cli.bench_options import Connections, Seconds, ratio
from neonblue.cli.bench_sizing import sizing
from neonblue.cli.bench_traces import traces
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.settings import Settings

bench = typer.Typer(
    name="bench", help="Measure throughput and latency.", no_args_is_help=True, add_completion=False
)

DUPLICATE_SHARES = (0.0, 0.01, 0.1)
PACED_RATE = 5_000.0
_OTHERS = 10
"""Experiments of each kind that is not running with everybody in it."""

Rate = Annotated[
    float | None, typer.Option(min=1, max=1e6, help="Only this: so many events (requests) a second.")
]


@bench.command()
def ingest(
    seconds: Seconds = 10.0,
    rate: Rate = None,
    batch: Annotated[int | None, typer.Option(min=1, max=1000, help="Only this: events a request.")] = None,
    connections: Connections = 32,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Store events over HTTP: batches of 100 and single ones, with 0, 1 and 10 % duplicates.

    They stay in the stack, as events of no experiment: use a stack of its own (`neonblue up --data-dir`).
    """
    settings = Settings.load(data_dir)
    loads = _loads(seconds, rate, batch, connections)
    reports = [ingesting.measure(settings, load) for load in loads]
    if json_output:
        typer.echo(json.dumps([report.as_json() for report in reports], indent=2))
        return
    _show_ingest(reports)


def _loads(seconds: float, rate: float | None, batch: int | None, connections: int) -> list[Load]:
    if rate is not None:
        return [Load(batch or 100, 0.0, seconds, connections, rate)]
    batches = (batch,) if batch is not None else (100, 1)
    loads = [Load(size, share, seconds, connections) for size in batches for share in DUPLICATE_SHARES]
    return loads if batch is not None else [*loads, Load(100, 0.0, seconds, connections, PACED_RATE)]


@bench.command()
def assign(
    seconds: Seconds = 10.0,
    rate: Rate = None,
    experiments: Annotated[int, typer.Option(min=1, max=10_000, help="Running experiments.")] = 100,
    connections: Connections = 32,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Assign units over HTTP as fast as they go: known ones (cached; also at 5,000 a second), new ones (stored), and
    those of experiments that take in nobody, are paused, or ship a variant.

    Its experiments are concluded and archived at the end.
    """
    settings = Settings.load(data_dir)
    rates = (rate,) if rate is not None else (None, PACED_RATE)
    reports: list[AssignReport] = []
    with assigning.running_experiments(settings, experiments) as keys:
        for kind in (Kind.CACHED, Kind.FIRST):
            reports += [
                assigning.measure(settings, keys, Plan(seconds, connections, wanted), kind)
                for wanted in rates
                if wanted == rate or kind is Kind.CACHED
            ]
    for kind in (Kind.OUTSIDE, Kind.PAUSED, Kind.RELEASED):
        with assigning.experiments(settings, min(experiments, _OTHERS), kind) as keys:
            reports.append(assigning.measure(settings, keys, Plan(seconds, connections, rate), kind))
    if json_output:
        typer.echo(json.dumps([report.as_json() for report in reports], indent=2))
        return
    _show_assign(reports)


@bench.command()
def statistics(
    comparisons: Annotated[
        int, typer.Option(min=20, max=10_000_000, help="Metric, arm and segment cells.")
    ] = COMPARISONS,
    json_output: AsJson = False,
) -> None:
    """Analyse metric, arm and segment cells from aggregates, on one core and with no server."""
    seconds = analysing.measure(comparisons)
    if json_output:
        typer.echo(json.dumps({"comparisons": comparisons, "seconds": seconds}, indent=2))
        return
    table = Table(header_style="dim", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("part")
    table.add_column("ms", justify="right")
    for name, taken in seconds.items():
        table.add_row(name, f"{1000 * taken:.1f}")
    out = console()
    out.print(f"{comparisons:,} comparisons from aggregates")
    out.print(table)
    out.print(
        f"[dim]over versions: {OVER_VERSIONS} comparisons of three versions; looks: the boundaries of {LOOKS}[/]"
    )
    out.print("[dim]built for (must; aim): 10,000 comparisons in 120; 40 ms[/]")


@bench.command()
def queries(
    events: Annotated[int, typer.Option(min=10_000, max=10**10, help="Events of the history.")] = 10_000_000,
    users: Annotated[int, typer.Option(min=100, max=10**9, help="Users of the history.")] = 500_000,
    experiments: Annotated[int, typer.Option(min=1, max=10_000, help="Running experiments.")] = 20,
    directory: Annotated[
        Path | None, typer.Option("--in", help="A folder to keep the history in, and to go on from.")
    ] = None,
    json_output: AsJson = False,
) -> None:
    """Ask for one experiment's result among many, and build every model, on a ClickHouse of its own."""
    if directory is not None and not querying.is_own_folder(directory):
        fail(
            f"--in: {directory} holds files of something else: name an empty folder, or one of an earlier benchmark"
        )
    with TemporaryDirectory(prefix="neonblue-bench-") as temporary:
        report = querying.measure(
            directory or Path(temporary),
            events,
            users,
            experiments,
            lambda step: typer.echo(step, err=True),
        )
    if json_output:
        typer.echo(json.dumps(report.as_json(), indent=2))
        return
    _show_queries(report)


@bench.command()
def restarts(
    times: Annotated[int, typer.Option(min=1, max=10_000, help="How often the API is restarted.")] = 30,
    rate: Annotated[float, typer.Option(min=1, max=1e6, help="Requests a second meanwhile.")] = 1_000.0,
    connections: Annotated[int, typer.Option(min=1, max=10_000, help="Connections that are kept.")] = 32,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Restart the API under load and count what that costs. Exits with 1 where a request or a restart failed.

    Half the requests are events, which stay in the stack, half are assignments; a tenth has a new connection.
    """
    settings = Settings.load(data_dir)
    done = restarting.measure(
        settings,
        times,
        rate,
        connections,
        lambda outcome: typer.echo(f"{outcome.how} after {outcome.seconds:.1f} s {outcome.detail}", err=True),
    )
    if json_output:
        typer.echo(json.dumps(done.as_json(), indent=2))
    else:
        _show_restarts(done)
    if done.failed or done.not_restarted:
        raise typer.Exit(1)


def _show_restarts(report: RestartsReport) -> None:
    cells = {
        "restarts": f"{report.restarts - len(report.not_restarted)} of {report.restarts}",
        "s each": f"{sum(report.restart_seconds) / max(1, len(report.restart_seconds)):.1f}",
        "req/s": f"{report.rate:,.0f}",
        "requests": f"{report.requests:,}",
        "failed": str(report.failed),
        "longest without an answer ms": f"{report.longest_gap:.0f}",
        "p50 ms": f"{report.latency_p50:.1f}",
        "p99 ms": f"{report.latency_p99:.1f}",
        "longest ms": f"{report.latency_longest:.0f}",
    }
    table = Table(header_style="dim", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in cells:
        table.add_column(name, justify="right")
    table.add_row(*cells.values())
    out = console()
    out.print(table)
    for reason, count in report.failures.items():
        out.print(f"failed: {reason}: {count}")
    for reason in report.not_restarted:
        out.print(f"not restarted: {reason}")
    out.print("[dim]built for: no request fails[/]")


bench.command()(traces)
bench.command()(sizing)


IngestColumn = tuple[str, Callable[[IngestReport], str]]
INGEST_COLUMNS: Sequence[IngestColumn] = (
    ("batch", lambda r: str(r.batch)),
    ("twice", lambda r: f"{r.duplicates:.0%}"),
    ("events/s", lambda r: f"{r.events_per_second:,.0f}"),
    ("req/s", lambda r: f"{r.requests_per_second:,.0f}"),
    ("p50 ms", lambda r: f"{r.latency_p50:.1f}"),
    ("p95 ms", lambda r: f"{r.latency_p95:.1f}"),
    ("p99 ms", lambda r: f"{r.latency_p99:.1f}"),
    ("through/s", lambda r: _number(r.end_to_end_per_second, "{:,.0f}")),
    ("seen p50/p99 s", lambda r: f"{_number(r.end_to_end_p50)} / {_number(r.end_to_end_p99)}"),
    ("message B", lambda r: _number(r.message_bytes_per_event, "{:.0f}")),
    ("topic B", lambda r: _number(r.kafka_bytes_per_event, "{:.0f}")),
    ("table B", lambda r: _number(r.clickhouse_bytes_per_event, "{:.1f}")),
    ("failed", lambda r: str(r.failures + r.rejected)),
)


def _show_ingest(reports: Sequence[IngestReport]) -> None:
    table = Table(header_style="dim", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, _ in INGEST_COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        table.add_row(*(show(report) for _, show in INGEST_COLUMNS))
    out = console()
    out.print(table)
    out.print(
        "[dim]built for (must; aim): batches of 100: 15,000; 30,000 events/s. Single: 1,500; 3,000/s.[/]"
    )
    out.print(
        "[dim]Through to ClickHouse: 15,000; 25,000/s. Seen there at 5,000/s: 0.6 / 1.5; 0.35 / 0.9 s.[/]"
    )
    out.print(
        "[dim]Bytes an event in the table: 40; 28. Bytes of the messages to the table: 10 : 1; 24 : 1.[/]"
    )


def _show_assign(reports: Sequence[AssignReport]) -> None:
    table = Table(header_style="dim")
    for name in ("units", "asked/s", "requests/s", "p50 ms", "p95 ms", "p99 ms", "failed"):
        table.add_column(name, justify="right")
    for report in reports:
        latencies = (f"{value:.1f}" for value in (report.latency_p50, report.latency_p95, report.latency_p99))
        asked = "-" if report.rate is None else f"{report.rate:,.0f}"
        answered = f"{report.requests_per_second:,.0f}"
        table.add_row(report.kind, asked, answered, *latencies, str(report.failures))
    out = console()
    out.print(table)
    out.print("[dim]built for (must; aim): 5,000 a second, p99 8 ms; 10,000, p99 4 ms at 5,000 a second[/]")


def _show_queries(report: QueriesReport) -> None:
    out = console()
    table = Table(header_style="dim", box=SIMPLE_HEAD)
    for name in ("query", "p50 ms", "p95 ms"):
        table.add_column(name, justify="left" if name == "query" else "right")
    for name, (median, high) in report.milliseconds.items():
        table.add_row(name, f"{median:.0f}", f"{high:.0f}")
    out.print(table)
    table = Table(header_style="dim", box=SIMPLE_HEAD)
    for name in ("table", "rows", "bytes a row", "MB a million events"):
        table.add_column(name, justify="left" if name == "table" else "right")
    for name, rows in report.rows.items():
        size = report.bytes_per_row[name]
        table.add_row(name, f"{rows:,}", f"{size:.1f}", f"{rows * size / report.events:.1f}")
    out.print(table)
    out.print(f"columns of events_processed, uncompressed to compressed: {ratio(report.compression)}")
    out.print(
        f"{report.events:,} events: a full build {report.full_build_seconds:.0f} s "
        f"({report.build_seconds_per_million:.1f} s a million), a build without news "
        f"{report.repeated_build_seconds:.0f} s, loading {report.load_seconds:.0f} s"
    )
    out.print("[dim]built for (must; aim): a live result over 10 million events 150; 20 ms[/]")


def _number(value: float | None, form: str = "{:.2f}") -> str:
    return "-" if value is None else form.format(value)
