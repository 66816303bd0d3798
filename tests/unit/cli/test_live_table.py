"""The table that `neonblue up` keeps in a terminal."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from neonblue.cli import up
from neonblue.stack import Stack
from neonblue.stack.supervisor import record
from neonblue.stack.supervisor.board import State, Status


def screen(output: str, height: int) -> list[str]:
    """What stands in a terminal after `output`, and what has left it at the top, which the cursor does not reach."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", output):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            column = 0
        elif part.endswith("A") and part.startswith("\x1b"):
            row = max(0, len(lines) - height, row - int(part[2:-1] or 1))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not part.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
        column = 0 if part == "\n" else column
    return [line.rstrip() for line in lines if line.strip()]


@pytest.mark.parametrize("height", [8, 60])
def test_no_frame_is_left_and_what_was_said_stays(
    height: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = io.StringIO()
    terminal = Console(file=output, force_terminal=True, width=100, height=height, highlight=False)
    monkeypatch.setattr(up, "console", lambda **_: terminal)
    stack = cast("Stack", SimpleNamespace(settings=SimpleNamespace(data_dir=tmp_path)))
    statuses = tuple(Status(f"service-{n}", State.STARTING, detail="UNAVAILABLE " * 12) for n in range(12))
    record.write(tmp_path, statuses)

    with contextlib.suppress(KeyboardInterrupt), up._live(stack, interactive=True) as shown:
        for _ in range(3):
            shown.refresh()
        shown.say("ready after 1 s")
        raise KeyboardInterrupt

    assert screen(output.getvalue(), height) == ["ready after 1 s"]
