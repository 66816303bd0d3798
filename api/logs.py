"""Log lines: JSON, one event name each."""

from __future__ import annotations

import logging
import sys

import structlog

from neonblue.log_lines import LogLines, calm_logging

LINES = LogLines(lambda: sys.stderr)
"""Of this process. Standard error is a file of the stack, on a disk that may be full."""


def configure_logs() -> None:
    """Write to standard error. Nothing logs a secret or a user's properties."""
    calm_logging()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=LINES,
        cache_logger_on_first_use=True,
    )
