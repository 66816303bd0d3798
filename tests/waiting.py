"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import psycopg

POLL_SECONDS = 0.05
_PASSING = (httpx.HTTPError, psycopg.OperationalError)
"""What a service says that is busy with what is waited for: Connect answers 500 while it gives its tasks out anew."""


def until(condition: Callable[[], object], what: str, seconds: float = 90.0) -> None:
    """Return once `condition` holds; fail after `seconds` naming `what`, and what the last look ran into."""
    deadline = time.monotonic() + seconds
    while True:
        met: Exception | None = None
        try:
            if condition():
                return
        except _PASSING as error:
            met = error
        if time.monotonic() >= deadline:
            told = "" if met is None else f" ({type(met).__name__}: {met})"
            raise AssertionError(f"not within {seconds:g} s: {what}{told}") from met
        time.sleep(POLL_SECONDS)
