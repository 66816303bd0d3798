"""``neonblue bench traces``."""

from __future__ import annotations

import json
import signal
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from neonblue.bench import traces as measuring
from neonblue.bench.traces import BATCHES, MODES, TracesReport
from neonblue.cli.bench_options import Connections, Seconds
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.settings import Settings


def traces(
    seconds: Seconds = 10.0,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="How often each load runs in each mode.")] = 5,
    connections: Connections = 32,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Store events with traces off, of 1 % and of all requests, in turns, and compare.

    The API of the running stack is restarted for each, with NEONBLUE_TRACES_… of neonblue.env changed; the spans go to
    a collector of the benchmark's own that keeps none. At the end, after Ctrl-C too, the file is as it was, and the
    API is restarted with it. The events stay in the stack.
    """
    settings = Settings.load(data_dir)
    for ending in (signal.SIGTERM, signal.SIGHUP):  # what ends it has all put back first
        signal.signal(ending, signal.default_int_handler)
    try:
        report = measuring.measure(
            settings, rounds, seconds, connections, lambda step: typer.echo(step, err=True)
        )
    except RuntimeError as error:
        fail(str(error))
    if json_output:
        typer.echo(json.dumps(report.as_json(), indent=2))
        return
    _show(report)


FIGURES = (
    ("events_per_second", "events/s", "{:,.0f}"),
    ("latency_p50", "p50 ms", "{:.1f}"),
    ("latency_p99", "p99 ms", "{:.1f}"),
    ("cpu_seconds", "CPU s/1,000 requests", "{:.3f}"),
)
COUNTS = (("spans_sent", "spans"), ("spans_dropped", "dropped"), ("failures", "failed"))


def _show(report: TracesReport) -> None:
    table = Table(header_style="dim", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("batch", "traces", *(shown for _, shown, _ in FIGURES), *(shown for _, shown in COUNTS)):
        table.add_column(name, justify="right")
    for batch in BATCHES:
        for mode in MODES:
            cells = (
                f"{form.format(report.median(batch, mode, name))} ×{report.ratio(batch, mode, name):.2f}"
                for name, _, form in FIGURES
            )
            runs = report.of(batch, mode)
            counts = (f"{sum(getattr(run, name) for run in runs):,}" for name, _ in COUNTS)
            table.add_row(str(batch), mode.name, *cells, *counts)
    out = console()
    out.print(table)
    out.print(
        f"[dim]medians of {report.rounds} rounds of {report.seconds:g} s; behind each the ratio to the same round "
        "without traces, the median[/]"
    )
