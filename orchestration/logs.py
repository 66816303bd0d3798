"""Log lines of Dagster's processes: in their logs, among Dagster's own."""

from __future__ import annotations

import sys

import structlog

from neonblue.log_lines import LogLines, calm_logging


def configure_logs() -> None:
    """Write to standard output, and fail nothing where that can't be written. A program's own choice stays."""
    if not structlog.is_configured():
        calm_logging()
        structlog.configure(logger_factory=LogLines(lambda: sys.stdout))
