"""``neonblue env``: the API's address and token for other programs."""

from __future__ import annotations

from shlex import quote

import typer

from neonblue.cli.api import token_of
from neonblue.cli.terminal import DataDir
from neonblue.settings import Settings


def env(data_dir: DataDir = None) -> None:
    """Print what a program needs to call the API, for the shell: eval "$(neonblue env)"."""
    settings = Settings.load(data_dir)
    token = token_of(settings)
    typer.echo(f"export NEONBLUE_API_URL={quote(settings.api.address)} NEONBLUE_API_TOKEN={quote(token)}")
