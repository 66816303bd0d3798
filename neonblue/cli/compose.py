"""``neonblue compose``: the folder that Docker Compose deploys from, and what its containers run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from neonblue.cli.output import say
from neonblue.cli.terminal import DataDir, console, fail
from neonblue.settings import Settings

compose = typer.Typer(
    name="compose",
    help="Deploy with Docker Compose, from official images.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_MARKS = {True: "[green]ok[/]", False: "[bold red]no[/]"}


@compose.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made where it is missing.")],
    anyway: Annotated[bool, typer.Option("--anyway", help="Also on a machine that is too small.")] = False,
) -> None:
    """Write the files to deploy from into FOLDER, with new secrets. What is there is never written over.

    First it looks whether this machine is large enough. Exits with 1, and writes nothing, where it is not.
    """
    from neonblue.compose import deployment
    from neonblue.compose.machine import Machine, examine
    from neonblue.stack.errors import RequirementError

    target = folder.expanduser().absolute()
    if reason := deployment.refusal(target):
        fail(reason)
    machine = Machine.here(target)
    findings = examine(machine)
    for finding in findings:
        advice = f": {finding.advice}" if finding.advice else ""
        mark = _MARKS[finding.good]
        console().print(f"{mark:24} {finding.subject}: {escape(finding.found + advice)}", soft_wrap=True)
    if not all(finding.good for finding in findings) and not anyway:
        fail("this machine is too small; nothing was written. --anyway writes the files all the same")
    try:
        written = deployment.write(target, machine)
    except OSError as error:
        fail(f"{error.filename or target} can't be written: {error.strerror}")
    except RequirementError as error:
        fail(str(error))
    for one in written:
        if one.differs:
            say(f"kept  {one.path}: this version would write another; compare with a new folder")
    made = sum(one.made for one in written)
    say(
        f"made {made} files in {target}, kept {len(written) - made}. Secrets are in secrets/ and neonblue.env"
    )
    say(f"next: docker compose --project-directory {target} up --detach --wait")


@compose.command(hidden=True)
def serve(
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    data_dir: DataDir = None,
) -> None:
    """In a container: be this service."""
    from neonblue.compose.serving import SERVICES, become

    if service not in SERVICES:
        fail(f"no such service: {service}; there are {', '.join(SERVICES)}", code=2)
    become(service, Settings.load(data_dir))


@compose.command(hidden=True)
def set_up(data_dir: DataDir = None) -> None:
    """In a container: make roles, users, tables and topics, and end."""
    from neonblue.compose import keeping

    keeping.configure_logs()
    keeping.set_up(Settings.load(data_dir))


@compose.command(hidden=True)
def keep(data_dir: DataDir = None) -> None:
    """In a container: watch and mend them, the connector and the stream, until it is stopped."""
    from neonblue.compose import keeping

    keeping.configure_logs()
    keeping.keep(Settings.load(data_dir))
