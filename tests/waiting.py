"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import httpx
import psycopg

T = TypeVar("T")
POLL_SECONDS = 0.05
PASSING: tuple[type[Exception], ...] = (httpx.HTTPError, psycopg.OperationalError)
"""What a service says that is busy with what is waited for: Connect answers 500 while it gives its tasks out anew."""


def until(
    condition: Callable[[], T | None],
    what: str,
    seconds: float = 90.0,
    *,
    told: Callable[[], str] = str,
    passing: tuple[type[Exception], ...] = PASSING,
    poll_seconds: float = POLL_SECONDS,
) -> T:
    """The first true value of `condition`.

    After `seconds` it fails, naming `what`, what the last look ran into, and what else is `told` then. passing: what
    a look may run into; anything else fails at once.
    """
    deadline = time.monotonic() + seconds
    while True:
        met: Exception | None = None
        try:
            if found := condition():
                return found
        except passing as error:
            met = error
        if time.monotonic() >= deadline:
            cause = "" if met is None else f" ({type(met).__name__}: {met})"
            raise AssertionError(f"not within {seconds:g} s: {what}{cause} {told()}".rstrip()) from met
        time.sleep(poll_seconds)
