"""What the commands share: the data folder's option, consoles, and how a command ends with an error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape


def _folder(text: str) -> Path:
    # A shell's variable that is not set would else make this very folder the stack's.
    if not text:
        raise typer.BadParameter("it is empty: name a folder, or leave the option out")
    return Path(text)


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder of the stack (default: NEONBLUE_DATA_DIR, else ./.neonblue).",
        parser=_folder,
        metavar="<path>",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs in place of a table.")]

NARROWEST_COLUMNS = 110
"""A pipe or a log file has no width of its own; tables need about this many columns."""


def console(*, stderr: bool = False) -> Console:
    """A console for people: colours and width of the terminal, plain text of a fixed width elsewhere."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        return Console(stderr=stderr, highlight=False, width=max(NARROWEST_COLUMNS, made.width))
    return made


def fail(message: str, *, code: int = 1) -> NoReturn:
    """Print `message` to standard error and end the command with exit code `code`."""
    console(stderr=True).print(f"[bold red]error[/]  {escape(message)}", soft_wrap=True)
    raise typer.Exit(code)
