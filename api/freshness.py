"""How old the newest published row is at least: when PostgreSQL's log stood where, and what is confirmed. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

SAMPLE_SECONDS = 1.0
LONGEST = 600
"""Samples: past it every other one goes, so that the oldest stays however long the stream stands still."""


@dataclass(slots=True)
class Freshness:
    """Positions in the log with the time at which each was its end. Times are monotonic seconds."""

    _samples: deque[tuple[float, int]] = field(default_factory=deque)
    _sampled_at: float = float("-inf")

    def note(self, now: float, log_end: int, confirmed: int | None) -> float:
        """Take a look in; returns the age in seconds, 0 where all that was seen is published.

        confirmed: the position up to which the stream has published; None while that is not known.
        """
        if self._samples and log_end < self._samples[-1][1]:
            # Another server, or a backup of this one: its positions say nothing of these.
            self._samples.clear()
        is_new = not self._samples or log_end > self._samples[-1][1]
        if is_new and now - self._sampled_at >= SAMPLE_SECONDS:
            self._samples.append((now, log_end))
            self._sampled_at = now
            if len(self._samples) > LONGEST:
                self._samples = deque(list(self._samples)[::2])
        while confirmed is not None and self._samples and self._samples[0][1] <= confirmed:
            self._samples.popleft()
        return now - self._samples[0][0] if self._samples else 0.0
