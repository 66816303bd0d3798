"""What the commands that read a data file share: its options, and how they tell what was read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from neonblue.tables.errors import CellError, FileError
from neonblue.tables.report import FileReport
from neonblue.tables.times import moment

DataFile = Annotated[
    Path, typer.Argument(help="CSV with a header, plain or gzipped, or Parquet; - is standard input.")
]
Variant = Annotated[str | None, typer.Option(help="Column of the arms.")]
Control = Annotated[str | None, typer.Option(help="Which arm is the control.")]
Time = Annotated[
    str | None,
    typer.Option(
        help="Column of the times: ISO 8601, or Unix time in seconds, milliseconds or microseconds."
    ),
]
Ignore = Annotated[list[str] | None, typer.Option(help="Column to pass over; repeatable.")]
Lower = Annotated[list[str] | None, typer.Option(help="Metric that is better when lower; repeatable.")]
SkipBadRows = Annotated[
    bool,
    typer.Option(
        "--skip-bad-rows", help="Leave out rows that can't be read, and count them; else the file is refused."
    ),
]
MissingPolicies = Annotated[
    list[str] | None,
    typer.Option(
        help="What blank cells count as: zero or exclude (their units are left out) for all metrics, or NAME=zero, "
        "NAME=exclude; repeatable. Asked for where there are any."
    ),
]


def start_of(text: str | None) -> datetime | None:
    """The time of --start. Raises FileError for what is none."""
    if text is None:
        return None
    try:
        return moment(text, datetime.now(UTC))
    except CellError as error:
        raise FileError(f"--start: {error}") from None


def show_file(out: Console, report: FileReport) -> None:
    """Say what was read, what was left out, and why."""
    for sentence in report.sentences():
        out.print(f"[dim]file[/]  {escape(sentence)}", soft_wrap=True)
