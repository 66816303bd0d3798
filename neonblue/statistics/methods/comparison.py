"""One metric in two arms: the row a report shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from neonblue.statistics.moments import Moments
from neonblue.statistics.result import Estimate, Interval, Lift
from neonblue.statistics.status import Status


@dataclass(frozen=True, slots=True)
class Comparison:
    """Treatment against control on one metric.

    n_*: units; mean_*: the metric's value per arm (mean, rate, ratio or quantile), None where undefined.
    diff: treatment minus control, given wherever both values exist, also beside a status.
    absolute: the test on the difference. relative: the lift, (treatment - control) / |control|.
    exact_p: Fisher's two-sided p-value for tiny tables of counts, as a companion; None otherwise.
    """

    n_control: int
    n_treatment: int
    mean_control: float | None
    mean_treatment: float | None
    diff: float | None
    absolute: Estimate | Status
    relative: Lift | Status
    exact_p: float | None = None

    @classmethod
    def of(
        cls,
        control: Moments,
        treatment: Moments,
        absolute: Estimate | Status,
        relative: Lift | Status,
        exact_p: float | None = None,
    ) -> Comparison:
        """The comparison of two arms whose metric is the mean of these moments."""
        mean_c, mean_t = _defined(control.mean), _defined(treatment.mean)
        diff = _defined(treatment.minus(control))
        return cls(control.n, treatment.n, mean_c, mean_t, diff, absolute, relative, exact_p)

    @property
    def significant(self) -> bool | None:
        """Whether the test rejects "no difference" at its level; None where there is no test."""
        return self.absolute.significant if isinstance(self.absolute, Estimate) else None

    def at_level(self, level: float) -> Comparison:
        """The same intervals under the level they have in the plan, for example that of all looks together."""
        absolute, relative = self.absolute, self.relative
        if isinstance(absolute, Estimate):
            absolute = replace(absolute, interval=_named(absolute.interval, level))
        if isinstance(relative, Lift):
            relative = replace(relative, interval=_named(relative.interval, level))
        return replace(self, absolute=absolute, relative=relative)


def _named(interval: Interval, level: float) -> Interval:
    return replace(interval, level=level)


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
