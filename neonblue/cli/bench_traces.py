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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what ends it has all put back first
    try:
        report = measuring.measure(
            settings, rounds, seconds, connections, lambda step: typer.echo(step, err=True)
        )
    except RuntimeError as error:
        fail(str(error))
    if json_output:
        typer.echo(json.dumps(report.as_json(), indent=2))
        return
    _show_traces(report)


def _show_traces(report: TracesReport) -> None:
    table = Table(header_style="dim", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    names = ("batch", "traces", "events/s", "p50 ms", "p99 ms", "CPU s/1,000 req")
    for name in (*names, "events/s", "p50", "p99", "CPU", "spans", "dropped", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    measured = ("events_per_second", "latency_p50", "latency_p99", "cpu_seconds")
    for batch in BATCHES:
        for mode in MODES:
            runs = report.of(batch, mode)
            forms = zip(measured, ("{:,.0f}", "{:.1f}", "{:.1f}", "{:.3f}"), strict=True)
            table.add_row(
                str(batch),
                mode.name,
                *(form.format(report.median(batch, mode, name)) for name, form in forms),
                *(f"{report.ratio(batch, mode, name):.3f}" for name in measured),
                *(
                    f"{sum(getattr(run, name) for run in runs):,}"
                    for name in ("spans_sent", "spans_dropped", "failures")
                ),
            )
    out = console()
    out.print(table)
    out.print(
        f"[dim]medians of {report.rounds} rounds of {report.seconds:g} s; the four columns behind them: to the same "
        "round without traces, the median[/]"
    )
