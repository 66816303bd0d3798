"""How many events this process takes a second, and how long their commits last: of the last minute. Pure."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from api.metrics import COMMIT_SECONDS, EVENTS

SAMPLE_SECONDS = 5.0
_KEPT = 13
_QUEUE = "events"


@dataclass(frozen=True, slots=True)
class Counted:
    """The process's counters at a time (monotonic seconds). commits: up to each bound in seconds, cumulative."""

    at: float
    accepted: float
    rejected: float
    commits: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Rate:
    """Over the last `seconds`. accepted, rejected: events a second.

    commit_p99: 99 of 100 transactions of events took at most so many seconds, as far as the buckets tell; infinite
    past the last of them, None where there was none.
    """

    seconds: float
    accepted: float
    rejected: float
    commit_p99: float | None


@dataclass(slots=True)
class Rates:
    """Samples of about a minute."""

    _samples: deque[Counted] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def note(self, counted: Counted) -> None:
        """Keep a sample."""
        self._samples.append(counted)

    @property
    def rate(self) -> Rate | None:
        """None before there are two samples."""
        if len(self._samples) < 2 or self._samples[-1].at <= self._samples[0].at:
            return None
        first, last = self._samples[0], self._samples[-1]
        seconds = last.at - first.at
        before = dict(first.commits)
        commits = [(bound, number - before.get(bound, 0.0)) for bound, number in last.commits]
        return Rate(
            seconds,
            (last.accepted - first.accepted) / seconds,
            (last.rejected - first.rejected) / seconds,
            bound_of(commits, 0.99),
        )


def bound_of(cumulative: list[tuple[float, float]], share: float) -> float | None:
    """The first bound that so large a share lies below; None where nothing was counted."""
    total = cumulative[-1][1] if cumulative else 0.0
    if total <= 0:
        return None
    return next((bound for bound, number in cumulative if number >= share * total), math.inf)


def counted(at: float) -> Counted:
    """The counters of this process as they are."""
    events = {
        sample.labels["status"]: sample.value
        for family in EVENTS.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    commits = tuple(
        (float(sample.labels["le"]), sample.value)
        for family in COMMIT_SECONDS.collect()
        for sample in family.samples
        if sample.name.endswith("_bucket") and sample.labels["queue"] == _QUEUE
    )
    return Counted(at, events.get("accepted", 0.0), events.get("rejected", 0.0), commits)
