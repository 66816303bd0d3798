"""What a sequence of looks says together: p-values never rise again, intervals only shrink.

Library only: no part of the platform calls it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from neonblue.statistics.result import Interval
from neonblue.statistics.sequential.confidence_sequence import SequentialEstimate
from neonblue.statistics.status import Status


@dataclass(frozen=True, slots=True)
class RunningResult:
    """A look with the running minimum of p and the intersection of the intervals so far.

    interval is None once the intersection is empty: that has probability at most alpha when the assumptions hold,
    and says that they may not, e.g. that the effect changed over time.
    """

    look: SequentialEstimate | Status
    p_value: float
    log10_p: float
    interval: Interval | None


def running(looks: Iterable[SequentialEstimate | Status]) -> list[RunningResult]:
    """The looks in their order, each with what is known up to it; a look without an estimate changes nothing.

    The running minimum of p, in (0, 1], and the intersection of the intervals, in the metric's unit. Source: Howard,
    Ramdas, McAuliffe and Sekhon (2021).
    """
    results: list[RunningResult] = []
    p_value, log10_p = 1.0, 0.0
    interval: Interval | None = None
    empty = False
    for look in looks:
        if isinstance(look, SequentialEstimate):
            p_value, log10_p = min(p_value, look.p_value), min(log10_p, look.log10_p)
            interval = (
                look.interval if interval is None and not empty else _intersection(interval, look.interval)
            )
            empty = interval is None
        results.append(RunningResult(look, p_value, log10_p, interval))
    return results


def _intersection(a: Interval | None, b: Interval) -> Interval | None:
    if a is None:
        return None
    lower, upper = max(a.lower, b.lower), min(a.upper, b.upper)
    return Interval(lower, upper, b.level) if lower <= upper else None
