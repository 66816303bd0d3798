"""``neonblue down``."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from neonblue.cli.number_options import A_DAY_OF_SECONDS
from neonblue.cli.terminal import DataDir, console, fail
from neonblue.settings import Settings
from neonblue.stack.supervisor import folder_lock, record

_POLL_SECONDS = 0.1


def down(
    timeout: Annotated[
        float, typer.Option(min=0, max=A_DAY_OF_SECONDS, help="Seconds to wait for a graceful end.")
    ] = 120.0,
    data_dir: DataDir = None,
) -> None:
    """Stop everything, gracefully."""
    folder = Settings.load(data_dir).data_dir
    supervisor = folder_lock.holder(folder)
    if supervisor is None:
        _clean(folder)
        return
    os.kill(supervisor, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    with console(stderr=True).status("stopping …"):
        # It lets go of the folder when everything has stopped, or when it dies.
        while folder_lock.holder(folder) == supervisor:
            if time.monotonic() > deadline:
                fail(f"process {supervisor} still runs after {timeout:.0f} s; see 'neonblue status'")
            time.sleep(_POLL_SECONDS)
    console().print("stopped")


def _clean(folder: Path) -> None:
    """Nothing is supervised; a supervisor that was killed may have left processes."""
    ended = record.end_strays(folder)
    console().print(f"ended what was left: {', '.join(ended)}" if ended else "not running")
