"""Log lines of the API's processes."""

from __future__ import annotations

import sys

from neonblue import log_lines
from neonblue.log_lines import LogLines

LINES = LogLines(lambda: sys.stderr)
"""Of this process. Standard error is a file of the stack, on a disk that may be full."""


def configure_logs() -> None:
    """Write to standard error, what libraries say as well. Nothing logs a secret or a user's properties."""
    log_lines.configure("api", LINES)
