"""``neonblue audit``: whether the audit log is as it was written."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.settings import Role, Settings

if TYPE_CHECKING:
    from api.audit.chain import Verdict

audit = typer.Typer(name="audit", help="Check the audit log.", no_args_is_help=True, add_completion=False)


@audit.callback()
def _group() -> None:
    """Check the audit log."""


@audit.command()
def verify(
    expect: Annotated[
        str | None,
        typer.Option(help="The head printed by an earlier check: it must still be part of the log."),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            help="A row's number and hash, as 1200:ab12…: begin behind it. Where older rows were moved elsewhere."
        ),
    ] = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Check that no row of the audit log was changed, removed or put in between; name the first that was."""
    expected, behind = _hash(expect), _behind(after)
    verdict = asyncio.run(_verify(Settings.load(data_dir).postgres.acting(Role.API).dsn(), expected, behind))
    if json_output:
        broken = (
            None
            if verdict.broken is None
            else {"row": verdict.broken.row_id, "reason": verdict.broken.reason}
        )
        last = verdict.head
        report = {"rows": verdict.rows, "head": last.hash.hex(), "head_row": last.row_id, "broken": broken}
        typer.echo(json.dumps(report))
    elif verdict.broken is None:
        head = f"{verdict.head.hash.hex()}, of the row {verdict.head.row_id}" if verdict.head.hash else "none"
        console().print(f"{verdict.rows} rows, each as it was written. Head: {head}")
    if verdict.broken is not None:
        fail(f"row {verdict.broken.row_id} {verdict.broken.reason}; the {verdict.rows} rows before it hold")


async def _verify(dsn: str, expected: bytes | None, behind: tuple[int, bytes] | None) -> Verdict:
    from api.audit.chain import Head
    from api.audit.chain import verify as verify_chain
    from api.postgres.database import connect

    async with await connect(dsn, "audit") as connection:
        return await verify_chain(connection, expected, None if behind is None else Head(*behind))


def _behind(text: str | None) -> tuple[int, bytes] | None:
    if text is None:
        return None
    number, _, digest = text.partition(":")
    try:
        return int(number), bytes.fromhex(digest)
    except ValueError:
        fail("--after takes a row's number and hash as they were printed, such as 1200:ab12…")


def _hash(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        fail("--expect takes the head as it was printed: 64 hexadecimal digits")
