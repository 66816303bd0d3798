"""The supervisor's own log."""

from __future__ import annotations

from pathlib import Path

from neonblue import log_lines
from neonblue.log_lines import LogLines
from neonblue.stack.supervisor import logs
from neonblue.stack.supervisor.names import SUPERVISOR


def write_to_file(data_dir: Path) -> None:
    """Send this process's log lines to the data folder, off the terminal."""
    (data_dir / "logs").mkdir(parents=True, exist_ok=True)
    file = logs.path(data_dir, SUPERVISOR)
    logs.limit(file)
    opened = file.open("a", encoding="utf-8")
    log_lines.configure(SUPERVISOR, LogLines(lambda: opened))
