"""The command line, called within the tests' process."""

from __future__ import annotations

import typer
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from neonblue.cli.main import app as neonblue


def invoke(*arguments: str, standard_input: str | None = None, app: typer.Typer = neonblue) -> Result:
    """What the command did and said; what a stack of this process logs meanwhile is no part of that."""
    with capture_logs():
        return CliRunner().invoke(app, list(arguments), input=standard_input)
