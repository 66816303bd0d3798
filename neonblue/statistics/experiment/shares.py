"""Which part of its planned size a comparison has reached."""

from __future__ import annotations

from collections.abc import Sequence

from neonblue.statistics.experiment.experiment import AllocationVersion, Experiment


def reached_share(experiment: Experiment, metric: str, arm: str, planned_units: int) -> float:
    """The information the judged units bring, as a share of what the plan's would have brought, >= 0.

    While the allocation stays as it is, that is the judged units of all arms over the planned ones. Where the shares of
    control and arm changed, information is the sum over versions of n r, n the two arms' units and r = w_c w_t /
    (w_c + w_t)^2: a unit of a 1 % ramp brings a twenty-fifth of one at equal shares. The plan is then taken at the best
    r there was. planned_units: over all arms, > 0.
    """
    judged = _judged(experiment, metric)
    if _constant(experiment.versions):
        return judged / planned_units
    control = experiment.control
    live = [
        v
        for v in experiment.versions
        if v.weights.get(control) and v.weights.get(arm) and (v.observed.get(control) or v.observed.get(arm))
    ]
    if not live:
        return 0.0
    best = max(_precision(v, control, arm) for v in live)
    planned = (
        planned_units * (live[0].weights[control] + live[0].weights[arm]) / sum(live[0].weights.values())
    )
    reached = sum(_units(v, metric, control, arm) * _precision(v, control, arm) for v in live)
    return reached * _judged_per_value(experiment, metric) / (planned * best)


def _judged(experiment: Experiment, metric: str) -> int:
    cells = [(metric, arm) for arm in experiment.arms]
    return sum(
        experiment.moments[cell].n + experiment.missing.get(cell, 0)
        for cell in cells
        if cell in experiment.moments
    )


def _judged_per_value(experiment: Experiment, metric: str) -> float:
    """All judged units over those with a value, >= 1: units without one were planned for as well."""
    cells = [(metric, arm) for arm in experiment.arms if (metric, arm) in experiment.moments]
    with_value = sum(experiment.moments[cell].n for cell in cells)
    return _judged(experiment, metric) / with_value if with_value else 1.0


def _constant(versions: Sequence[AllocationVersion]) -> bool:
    entered = [version for version in versions if any(version.observed.values())]
    shares = {
        tuple(
            sorted(
                (arm, round(weight / sum(v.weights.values()), 9))
                for arm, weight in v.weights.items()
                if weight
            )
        )
        for v in entered
        if sum(v.weights.values())
    }
    return len(shares) <= 1


def _precision(version: AllocationVersion, control: str, arm: str) -> float:
    c, t = version.weights[control], version.weights[arm]
    return c * t / (c + t) ** 2


def _units(version: AllocationVersion, metric: str, control: str, arm: str) -> int:
    given = [version.moments[metric, name].n for name in (control, arm) if (metric, name) in version.moments]
    return sum(given) if given else version.observed.get(control, 0) + version.observed.get(arm, 0)
