"""What ``neonblue power`` computes: which of sample size, effect and power is asked for, and its value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

from neonblue.statistics.planning import means, proportions
from neonblue.statistics.planning.means import Design, SampleSize
from neonblue.statistics.planning.proportions import NullVariance
from neonblue.statistics.status import Status

_T = TypeVar("_T")


class PlanError(Exception):
    """A request that can't be planned, with the reason."""


@dataclass(frozen=True, slots=True)
class Metric:
    """The control's baseline: a rate in [0, 1], or a mean with its standard deviation per unit.

    students_t: whether means are compared by Student's t; else by the normal, as in a confidence sequence.
    """

    baseline: float
    sd: float | None
    correlation: float = 0.0
    students_t: bool = True

    @property
    def unit_sd(self) -> float | None:
        """Standard deviation after CUPED; of a rate only when a covariate changes it, else None."""
        if self.sd is None and self.correlation == 0:
            return None
        sd = math.sqrt(max(0.0, self.baseline * (1 - self.baseline))) if self.sd is None else self.sd
        return means.cuped_sd(sd, self.correlation)

    def require_possible(self, effect: Effect | None) -> None:
        """Raises PlanError for a baseline that is no rate, and for an effect that would leave none."""
        if self.sd is not None:
            return
        if not 0 <= self.baseline <= 1:
            meant = f"; did you mean {self.baseline / 100:g}?" if 1 < self.baseline <= 100 else ""
            raise PlanError(
                f"--baseline: a rate lies in [0, 1]; give --sd for a mean, got {self.baseline:g}{meant}"
            )
        if effect is not None and not 0 <= self.baseline + effect.size <= 1:
            option, met = ("--margin", "at the margin") if effect.is_margin else ("--mde", "with this effect")
            meant = f"; did you mean {effect.size:g}%?" if 1 <= abs(effect.size) <= 100 else ""
            raise PlanError(
                f"{option}: {met} a rate of {self.baseline:g} would be {self.baseline + effect.size:g}; "
                f"it lies in [0, 1]{meant}"
            )


@dataclass(frozen=True, slots=True)
class Effect:
    """Treatment minus control, in the metric's unit; is_margin: a non-inferiority margin, the truth being 0."""

    size: float
    is_margin: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan: whole units, the effect in the metric's unit and as a share, the power, days if known."""

    control_units: int
    treatment_units: int
    total_units: int
    effect: float
    relative_effect: float | None
    power: float
    days: float | None


def plan(
    metric: Metric, effect: Effect | None, units: int | None, design: Design, traffic: float | None
) -> Planned:
    """Complete what is given: units for an effect, the effect for units, or the power for both.

    Raises PlanError when neither is given or no sample can meet the request.
    """
    metric.require_possible(effect)
    problem = design.problem()
    if problem:
        raise PlanError(problem.message)
    if units is None:
        if effect is None:
            raise PlanError("--mde, --units: give at least one of them")
        size = _given(_sample_size(metric, effect, design))
        return _planned(
            metric, (size.control_units, size.treatment_units), effect.size, design.power, design, traffic
        )
    control = units / (1 + design.comparisons * design.ratio)
    sizes = (math.floor(control), math.floor(control * design.ratio))
    if effect is None:
        return _planned(
            metric, sizes, _given(_detectable(metric, sizes, design)), design.power, design, traffic
        )
    return _planned(
        metric, sizes, effect.size, _given(_power(metric, effect, sizes, design)), design, traffic
    )


def _sample_size(metric: Metric, effect: Effect, design: Design) -> SampleSize | Status:
    if metric.unit_sd is not None:
        of_means = means.student_sample_size if metric.students_t else means.mean_sample_size
        return of_means(metric.unit_sd, effect.size, design)
    if effect.is_margin:
        return proportions.noninferiority_sample_size(metric.baseline, effect.size, design)
    return proportions.proportion_sample_size(
        metric.baseline, metric.baseline + effect.size, design, NullVariance.UNPOOLED
    )


def _detectable(metric: Metric, units: tuple[int, int], design: Design) -> float | Status:
    if metric.unit_sd is not None:
        of_means = means.student_mde if metric.students_t else means.mean_mde
        return of_means(metric.unit_sd, units, design)
    return proportions.proportion_mde(metric.baseline, units, design, NullVariance.UNPOOLED)


def _power(metric: Metric, effect: Effect, units: tuple[int, int], design: Design) -> float | Status:
    if metric.unit_sd is not None:
        of_means = means.student_power if metric.students_t else means.mean_power
        return of_means(metric.unit_sd, effect.size, units, design)
    if effect.is_margin:
        sd = math.sqrt(metric.baseline * (1 - metric.baseline))
        return means.mean_power(sd, effect.size, units, design)
    return proportions.proportion_power(
        metric.baseline, metric.baseline + effect.size, units, design, NullVariance.UNPOOLED
    )


def _planned(
    metric: Metric,
    units: tuple[int, int],
    effect: float,
    power: float,
    design: Design,
    traffic: float | None,
) -> Planned:
    total = units[0] + design.comparisons * units[1]
    days = None if traffic is None else _given(means.duration_days(total, traffic))
    relative = effect / abs(metric.baseline) if metric.baseline else None
    return Planned(*units, total, effect, relative, power, days)


def _given(value: _T | Status) -> _T:
    if isinstance(value, Status):
        raise PlanError(value.message)
    return value
