"""Where on its way from the assignment to the analysis an experiment loses the ratio of its arms. Pure.

Imported where it is used: the statistics engine takes seconds to load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from neonblue.contract.messages import ExperimentMessage
from neonblue.statistics import SampleRatio, Status, sample_ratio_over_versions


class Stage(StrEnum):
    """The way of a unit, in order: one person's linked ids are one unit. The names are stored."""

    ASSIGNED = "assigned"  # PostgreSQL holds its assignment
    EXPOSED = "exposed"  # PostgreSQL knows that it met its variant
    INGESTED = "ingested"  # its first event has reached ClickHouse
    ANALYSED = "analysed"  # the marts count it


@dataclass(frozen=True, slots=True)
class StageUnits:
    """Units of one variant that entered under one configuration version and reached the stage."""

    stage: Stage
    version: int
    variant_key: str
    units: int


@dataclass(frozen=True, slots=True)
class StageRatio:
    """One stage: units per arm, the test of their ratio, and whether the ratio breaks here first.

    lost: share of the units of the stage before that did not reach this one, by arm.
    """

    stage: Stage
    units: Mapping[str, int]
    test: SampleRatio | Status
    broken: bool
    lost: Mapping[str, float]


def stage_ratios(
    configurations: Mapping[int, ExperimentMessage], units: Sequence[StageUnits], threshold: float = 0.001
) -> list[StageRatio]:
    """The sample ratio at every stage that has units, in order; at most one of them is broken: the first.

    A later stage holds some of the units of the one before, so a ratio that broke once stays broken.
    """
    ratios: list[StageRatio] = []
    before: Mapping[str, int] = {}
    for stage in Stage:
        reached = [row for row in units if row.stage is stage]
        if not reached:
            continue
        test = _test(configurations, reached, threshold)
        arms: dict[str, int] = {}
        for row in reached:
            arms[row.variant_key] = arms.get(row.variant_key, 0) + row.units
        broken = isinstance(test, SampleRatio) and not test.healthy and not any(r.broken for r in ratios)
        lost = {arm: 1 - arms.get(arm, 0) / count for arm, count in before.items() if count}
        ratios.append(StageRatio(stage, arms, test, broken, lost))
        before = arms
    return ratios


def in_words(ratio: StageRatio) -> str:
    """What broke where, for people."""
    p_value = f"p = {ratio.test.p_value:.3g}" if isinstance(ratio.test, SampleRatio) else "no test"
    arms = ", ".join(f"{arm} {count}" for arm, count in ratio.units.items())
    lost = ", ".join(f"{arm} {share:.2%}" for arm, share in ratio.lost.items())
    tail = f"; lost since the stage before: {lost}" if lost else ""
    return f"The sample ratio breaks at the stage {ratio.stage} ({arms}; {p_value}{tail})."


def _test(
    configurations: Mapping[int, ExperimentMessage], units: Sequence[StageUnits], threshold: float
) -> SampleRatio | Status:
    arms = [variant.key for variant in configurations[max(configurations)].variants]
    counts = {(row.version, row.variant_key): row.units for row in units}
    versions = sorted({row.version for row in units} & set(configurations)) or [max(configurations)]
    observed, weights = [], []
    for version in versions:
        shares = {v.key: float(v.weight if v.active else 0) for v in configurations[version].variants}
        observed.append([counts.get((version, arm), 0) for arm in arms])
        weights.append([shares.get(arm, 0.0) for arm in arms])
    return sample_ratio_over_versions(observed, weights, threshold)
