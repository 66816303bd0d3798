"""``neonblue down``."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated

import psutil
import typer

from neonblue.cli.terminal import DataDir, console, fail
from neonblue.settings import Settings
from neonblue.stack import folder_lock, record


def down(
    timeout: Annotated[float, typer.Option(help="Seconds to wait for a graceful end.")] = 120.0,
    data_dir: DataDir = None,
) -> None:
    """Stop everything, gracefully."""
    folder = Settings.load(data_dir).data_dir
    supervisor = folder_lock.holder(folder)
    if supervisor is None:
        _clean(folder)
        return
    process = psutil.Process(supervisor)
    os.kill(supervisor, signal.SIGTERM)
    with console(stderr=True).status("stopping …"):
        _, remaining = psutil.wait_procs([process], timeout=timeout)
    if remaining and folder_lock.holder(folder) == supervisor:
        fail(f"process {supervisor} still runs after {timeout:.0f} s; see 'neonblue status'")
    console().print("stopped")


def _clean(folder: Path) -> None:
    """Nothing is supervised; a supervisor that was killed may have left processes."""
    ended = record.end_strays(folder)
    console().print(f"ended what was left: {', '.join(ended)}" if ended else "not running")
