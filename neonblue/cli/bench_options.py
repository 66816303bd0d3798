"""Options and figures that several benchmarks have."""

from __future__ import annotations

from typing import Annotated

import typer

from neonblue.cli.number_options import A_DAY_OF_SECONDS

Seconds = Annotated[float, typer.Option(min=1, max=A_DAY_OF_SECONDS, help="Length of each run.")]
Connections = Annotated[int, typer.Option(min=1, max=10_000, help="Connections at once.")]


def ratio(value: float | None) -> str:
    """To one."""
    return "not known: the parts are too small" if value is None else f"{value:.1f} : 1"
