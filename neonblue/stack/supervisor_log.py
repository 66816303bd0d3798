"""The supervisor's own log."""

from __future__ import annotations

from pathlib import Path

import structlog

from neonblue.log_lines import LogLines, calm_logging
from neonblue.stack import logs


def write_to_file(data_dir: Path) -> None:
    """Send this process's log lines to the data folder, off the terminal."""
    (data_dir / "logs").mkdir(parents=True, exist_ok=True)
    file = logs.path(data_dir, "supervisor")
    logs.limit(file)
    opened = file.open("a", encoding="utf-8")
    calm_logging()
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=LogLines(lambda: opened),
        cache_logger_on_first_use=False,
    )
