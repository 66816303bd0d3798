"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_SECONDS = 0.1


def until(condition: Callable[[], object], what: str, seconds: float = 90.0) -> None:
    """Return once `condition` holds; fail naming `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(POLL_SECONDS)
