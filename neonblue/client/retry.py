"""When to try again, and how long to wait before: exponential back-off with full jitter.

Full jitter (a uniform draw between zero and the exponential bound) keeps many clients that failed together
from coming back together: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

STORED_NOTHING = frozenset({429, 503})
"""The API answers these before it stores anything, so that every call may be repeated after them."""

UNDECIDED = frozenset({500, 502, 504})
"""The call may have taken effect: repeat it only where a repetition changes nothing."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of the retries of one call.

    attempts: calls in all, the first included. base_seconds, cap_seconds: the wait before retry k is uniform
    in [0, min(cap, base * 2^k)]. A Retry-After of the server is a lower bound, itself at most
    `longest_retry_after` seconds.
    """

    attempts: int = 8
    base_seconds: float = 0.1
    cap_seconds: float = 10.0
    longest_retry_after: float = 60.0
    draw: Callable[[], float] = field(default=random.random, repr=False)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts: must be at least 1, got {self.attempts}")
        if self.base_seconds < 0 or self.cap_seconds < 0:
            raise ValueError("base_seconds, cap_seconds: must not be negative")

    def waits(self) -> Iterator[float]:
        """Seconds to wait before each retry: `attempts` - 1 values."""
        for retry in range(self.attempts - 1):
            yield self.draw() * min(self.cap_seconds, self.base_seconds * 2.0**retry)

    def wait(self, drawn: float, retry_after: float | None) -> float:
        """Seconds to wait: the draw, and after it at least what the server asked for."""
        return drawn + min(retry_after or 0.0, self.longest_retry_after)


def repeatable(status: int, *, idempotent: bool) -> bool:
    """Whether a call that was answered with `status` may be made again."""
    return status in STORED_NOTHING or (idempotent and status in UNDECIDED)


def parse_retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds of a Retry-After header, seconds or a date (RFC 9110, 10.2.3); None if unreadable."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())
