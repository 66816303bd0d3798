"""``neonblue report``: an experiment's report, as of now, as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from neonblue.cli.experiment_options import Key
from neonblue.cli.results import ask, print_heading
from neonblue.cli.terminal import DataDir, console, fail
from neonblue.cli.written_files import require_replaceable
from neonblue.settings import Settings


def report(
    key: Key,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file (default: KEY.html).", dir_okay=False)
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(help="Also write each figure as PNG and PDF to this folder.", file_okay=False),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Also keep it with the reports that the API lists.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Write the report of the experiment KEY: one HTML file that needs nothing else."""
    from neonblue.clickhouse.client import connect
    from neonblue.findings.heading import heading_of
    from neonblue.reports import Format, render_figures, render_report
    from neonblue.results.kept import keep_look, kept_looks
    from neonblue.results.look import look
    from neonblue.results.publish import HTML, Rendered, publish
    from neonblue.results.report import report_of
    from neonblue.results.store import ReportStore
    from neonblue.results.warehouse import Warehouse

    target = out or Path(f"{key}.html")
    require_replaceable(target, "--out")
    settings = Settings.load(data_dir)
    experiment = ask(settings, key)
    with connect(settings.clickhouse) as client:
        warehouse = Warehouse.of(client)
        seen = look(warehouse, key, looks=kept_looks(settings.api, key), taking=keep)
        if seen.configuration is None:
            fail(
                f"{key!r} exists ({experiment['status']}), but its configuration has not arrived in ClickHouse "
                "yet: wait some seconds, then look with 'neonblue status' whether every part runs"
            )
        if keep and seen.to_keep is not None and keep_look(settings.api, seen.to_keep) is None:
            fail(f"{key!r}: another look was taken at the same time, nothing is kept: run it again")
        made = report_of(warehouse, seen)
        page = render_report(made)
        _write(target, page.encode())
        if keep:
            file = Rendered("report.html", made.title, HTML, page.encode())
            identity = (seen.configuration.experiment_id, key)
            publish(client, ReportStore.of(settings), (file,), seen.stamp, "by-hand", identity)
    if figures is not None:
        for form in Format:
            for figure in render_figures(made, form):
                require_replaceable(figures / figure.name, "--figures")
                _write(figures / figure.name, figure.content)
    shown = console()
    shown.print(Text(str(target)), soft_wrap=True)
    print_heading(shown, heading_of(made.about, made.said))


def _write(target: Path, content: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    except OSError as error:
        fail(f"{target} can't be written: {error.strerror}")
