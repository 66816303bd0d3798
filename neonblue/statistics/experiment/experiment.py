"""What an analysis is told about an experiment: metrics with their roles, arms, moments, and the plan."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from neonblue.statistics.methods.by_kind import AnyMoments, MetricKind, Pair, added, can_be_added
from neonblue.statistics.methods.noninferiority import Direction, Margin
from neonblue.statistics.sequential.spending import SpendingFamily
from neonblue.statistics.status import Status, StatusCode

_SAME_SHARE = 1e-9


class Role(StrEnum):
    """What a metric is for: to decide, to explain, or to be kept from harm."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    GUARDRAIL = "guardrail"


class Inference(StrEnum):
    """Which test decides. Fixed at launch: to choose it later would be to choose the answer."""

    FIXED = "fixed"  # once, at the planned end
    GROUP_SEQUENTIAL = "group_sequential"  # at planned looks, with a planned size
    CONFIDENCE_SEQUENCE = "confidence_sequence"  # at any time, without a planned size


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric and its part in the decision.

    unit: what one observation of its moments is, e.g. "user"; it must be the experiment's randomisation unit.
    margin: the acceptable loss of a guardrail, > 0, in the metric's unit or (margin_relative) as a share of
    the control's value; None: the guardrail only must not be significantly worse. watchers: of a guardrail, how many
    raise an alarm by a test of their own, >= 1: the error of a false alarm is shared among them.
    """

    name: str
    kind: MetricKind
    role: Role = Role.SECONDARY
    direction: Direction = Direction.HIGHER_IS_BETTER
    margin: float | None = None
    margin_relative: bool = False
    unit: str = "user"
    watchers: int = 1

    @property
    def acceptable_loss(self) -> Margin | None:
        """The margin with its direction, None where there is none. ValueError for an impossible one."""
        if self.margin is None:
            return None
        return Margin(self.margin, self.margin_relative, self.direction)


@dataclass(frozen=True, slots=True)
class AllocationVersion:
    """One configuration that was live: shares per arm, and the units that entered under it.

    Arms missing from `observed` have no units; arms missing from `weights` have weight zero. moments: of these
    units, (metric name, arm) -> moments, needed where shares differ between versions: such units are compared
    within their version; missing: those that the moments leave out for having no value.
    """

    name: str
    weights: Mapping[str, float]
    observed: Mapping[str, int]
    moments: Mapping[tuple[str, str], AnyMoments] = field(default_factory=dict)
    missing: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment's data as moments.

    arms: every arm's name, control included. moments: (metric name, arm) -> moments; a missing pair is an arm
    without data. unit: the randomisation unit. dropped: arms that enrol nobody any more: they are compared with who
    could have been in their place, and never shipped. exposed: all exposed units, multiply_exposed: those met in
    more than one arm. missing: units without a value of the metric, which its moments leave out, by (metric name,
    arm). reserved: tests per treatment that may raise an alarm by other metrics than these, >= 0: they share the error
    of this experiment's guardrails. Raises ValueError when control is not an arm or two metrics share a name.
    """

    control: str
    arms: tuple[str, ...]
    metrics: tuple[Metric, ...]
    moments: Mapping[tuple[str, str], AnyMoments]
    versions: tuple[AllocationVersion, ...] = ()
    unit: str = "user"
    exposed: int = 0
    multiply_exposed: int = 0
    missing: Mapping[tuple[str, str], int] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    reserved: int = 0

    def __post_init__(self) -> None:
        if self.control not in self.arms:
            raise ValueError(f"control: {self.control!r} is not one of the arms {list(self.arms)}")
        names = [metric.name for metric in self.metrics]
        if len(set(names)) != len(names):
            raise ValueError(f"metrics: names must differ, got {names}")

    @property
    def control_first(self) -> tuple[str, ...]:
        """All arms, control before the others: the order in which they are shown."""
        return (self.control, *self.treatments)

    @property
    def treatments(self) -> tuple[str, ...]:
        """The arms other than control, in their order."""
        return tuple(arm for arm in self.arms if arm != self.control)

    @property
    def live_treatments(self) -> tuple[str, ...]:
        """The treatments that still enrol."""
        return tuple(arm for arm in self.treatments if arm not in self.dropped)

    def compared(self, metric: str, arm: str) -> list[Pair] | Status:
        """Control's and the arm's moments by stratum: one where every unit may be compared with every other.

        Else only versions in which both arms were live count: who entered while one of them was not could never have
        been in its place. Versions with the same shares are one stratum where their moments can be added up.
        MISSING_ARM where an arm has no data, or none from a version in which both were live; SHARES_CHANGED where the
        shares changed and the versions do not give their moments.
        """
        for name in (self.control, arm):
            if (metric, name) not in self.moments:
                return Status(StatusCode.MISSING_ARM, f"There are no data of {metric} in arm {name}.")
        pooled = [(self.moments[metric, self.control], self.moments[metric, arm])]
        entered = [v for v in self.versions if v.observed.get(self.control) or v.observed.get(arm)]
        live = [v for v in entered if v.weights.get(self.control) and v.weights.get(arm)]
        shares = [v.weights[arm] / v.weights[self.control] for v in live]
        if len(live) == len(entered) and (not live or max(shares) <= min(shares) * (1 + _SAME_SHARE)):
            return pooled
        keys = (metric, self.control), (metric, arm)
        both = [v for v in live if v.observed.get(self.control) and v.observed.get(arm)]
        if any(key not in v.moments for v in both for key in keys):
            message = (
                f"The arms were not live in the same shares throughout, and {metric} has no sums by version: "
                "pooled, a change over time would look like an effect."
            )
            return Status(StatusCode.SHARES_CHANGED, message)
        given = [
            (v.moments[keys[0]], v.moments[keys[1]], s)
            for v, s in zip(live, shares, strict=True)
            if v in both
        ]
        found = [(control, treatment) for control, treatment, _ in given]
        strata = _by_share(found, [share for _, _, share in given])
        none = f"No unit entered {arm} while it was live beside {self.control}."
        return strata or Status(StatusCode.MISSING_ARM, none)

    @property
    def alarms(self) -> int:
        """How many tests of guardrails may say that there is harm: guardrails x treatments, by each that watches.

        Also in arms that were dropped: what they might have said was part of the error. What is reserved for others
        counts.
        """
        watchers = sum(metric.watchers for metric in self.metrics if metric.role is Role.GUARDRAIL)
        return (watchers + self.reserved) * len(self.treatments)

    @property
    def units(self) -> int:
        """Units in all versions and arms, or, without versions, in the metric that has most."""
        if self.versions:
            return sum(sum(version.observed.values()) for version in self.versions)
        totals = [
            sum(self.moments[metric.name, arm].n for arm in self.arms if (metric.name, arm) in self.moments)
            for metric in self.metrics
        ]
        return max(totals, default=0)


def _by_share(pairs: Sequence[Pair], shares: Sequence[float]) -> list[Pair]:
    strata: list[tuple[float, Pair]] = []
    for pair, share in zip(pairs, shares, strict=True):
        for index, (known, other) in enumerate(strata):
            if math.isclose(known, share, rel_tol=_SAME_SHARE) and can_be_added(other[0]):
                strata[index] = known, (added(other[0], pair[0]), added(other[1], pair[1]))
                break
        else:
            strata.append((share, pair))
    return [pair for _, pair in strata]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the experiment is decided, as stored at its launch.

    alpha: family-wise error of the primary metrics, of all alarms of guardrails, and of each margin that is held;
    false_discovery_rate: of the secondary metrics. inference: which test decides. planned_units: size over
    all arms, None without a plan; units_per_day: the rate of new units, for the time left. looks:
    information fractions of the earlier looks of a group-sequential test, ascending. tuning: the sample
    size N* at which the confidence sequence is tightest; spending: how a group-sequential test spends
    alpha. ended: no unit will be added; what a group-sequential test has not spent by then stays unspent. Raises
    ValueError for rates outside (0, 1) and, for a group-sequential test, for no planned size, an alpha of 0.5 or more,
    looks that do not ascend, and an earlier look at the planned size or past it, which was the last one.
    """

    alpha: float = 0.05
    false_discovery_rate: float = 0.05
    inference: Inference = Inference.FIXED
    planned_units: int | None = None
    units_per_day: float | None = None
    looks: tuple[float, ...] = field(default=())
    tuning: int = 10_000
    spending: SpendingFamily = SpendingFamily.OBRIEN_FLEMING
    ended: bool = False
    sample_ratio_threshold: float = 0.001
    multiply_exposed_threshold: float = 0.01

    def __post_init__(self) -> None:
        for name in ("alpha", "false_discovery_rate"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name}: must lie inside (0, 1), got {getattr(self, name)}")
        if self.planned_units is not None and self.planned_units < 1:
            raise ValueError(f"planned_units: must be positive, got {self.planned_units}")
        if self.inference is Inference.GROUP_SEQUENTIAL and self.planned_units is None:
            raise ValueError("planned_units: a group-sequential test needs a planned size")
        if self.inference is Inference.GROUP_SEQUENTIAL and self.alpha >= 0.5:
            raise ValueError(f"alpha: must be below 0.5 for a group-sequential test, got {self.alpha}")
        if any(late <= early for early, late in itertools.pairwise((0.0, *self.looks))):
            raise ValueError(f"looks: information shares must be positive and ascend, got {list(self.looks)}")
        if self.looks and self.looks[-1] >= 1:
            raise ValueError(
                f"looks: an earlier look at {self.looks[-1]:g} of the planned units was the last one: its verdict "
                "stands, and no error is left for another"
            )

    @classmethod
    def at_launch(
        cls, planned_units: int | None = None, alpha: float = 0.05, units_per_day: float | None = None
    ) -> Plan:
        """The plan to store when an experiment starts: with a planned size the group-sequential test decides,
        without one the confidence sequence."""
        inference = Inference.CONFIDENCE_SEQUENCE if planned_units is None else Inference.GROUP_SEQUENTIAL
        return cls(alpha, inference=inference, planned_units=planned_units, units_per_day=units_per_day)

    def complete(self, units: int) -> bool:
        """Whether the planned end is reached: the experiment ended, or its planned size is there."""
        return self.ended or (self.planned_units is not None and units >= self.planned_units)
