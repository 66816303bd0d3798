"""What the commands about experiments share."""

from __future__ import annotations

from typing import Annotated

import typer

Key = Annotated[str, typer.Argument(metavar="KEY", help="The experiment's key, such as checkout-button.")]
File = Annotated[
    str, typer.Option("-f", "--file", metavar="FILE", help="YAML or JSON; - reads standard input.")
]
Why = Annotated[str | None, typer.Option("--reason", help="Why; kept with the change.")]
OnlyVersion = Annotated[
    int | None,
    typer.Option(
        "--version", min=1, max=2**31 - 1, help="Refuse unless the experiment is still at this version."
    ),
]
ConfirmYes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
