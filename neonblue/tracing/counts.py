"""What became of the spans of this process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Spans that a collector took, and those that were lost: it was away, or slower than they came."""

    sent: int = 0
    dropped: int = 0


COUNTS = Counts()
