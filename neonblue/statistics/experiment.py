"""What an analysis is told about an experiment: metrics with their roles, arms, moments, and the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from neonblue.statistics.metric import AnyMoments, MetricKind
from neonblue.statistics.noninferiority import Direction, Margin


class Role(StrEnum):
    """What a metric is for: to decide, to explain, or to be kept from harm."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    GUARDRAIL = "guardrail"


class Deciding(StrEnum):
    """Which test decides. Fixed at launch: to choose it later would be to choose the answer."""

    FIXED = "fixed"  # once, at the planned end
    GROUP_SEQUENTIAL = "group_sequential"  # at planned looks, with a planned size
    CONFIDENCE_SEQUENCE = "confidence_sequence"  # at any time, without a planned size


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric and its part in the decision.

    unit: what one observation of its moments is, e.g. "user"; it must be the experiment's randomisation unit.
    margin: the acceptable loss of a guardrail, > 0, in the metric's unit or (margin_relative) as a share of
    the control's value; None: the guardrail only must not be significantly worse.
    """

    name: str
    kind: MetricKind
    role: Role = Role.SECONDARY
    direction: Direction = Direction.HIGHER_IS_BETTER
    margin: float | None = None
    margin_relative: bool = False
    unit: str = "user"

    @property
    def acceptable_loss(self) -> Margin | None:
        """The margin with its direction, None where there is none. ValueError for an impossible one."""
        if self.margin is None:
            return None
        return Margin(self.margin, self.margin_relative, self.direction)


@dataclass(frozen=True, slots=True)
class AllocationVersion:
    """One configuration that was live: shares per arm, and the units that entered under it.

    Arms missing from `observed` have no units; arms missing from `weights` have weight zero.
    """

    name: str
    weights: Mapping[str, float]
    observed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment's data as moments.

    arms: every arm's name, control included. moments: (metric name, arm) -> moments; a missing pair is an arm
    without data. unit: the randomisation unit. exposed: all exposed units, multiply_exposed: those met in
    more than one arm. Raises ValueError when control is not an arm or two metrics share a name.
    """

    control: str
    arms: tuple[str, ...]
    metrics: tuple[Metric, ...]
    moments: Mapping[tuple[str, str], AnyMoments]
    versions: tuple[AllocationVersion, ...] = ()
    unit: str = "user"
    exposed: int = 0
    multiply_exposed: int = 0

    def __post_init__(self) -> None:
        if self.control not in self.arms:
            raise ValueError(f"control: {self.control!r} is not one of the arms {list(self.arms)}")
        names = [metric.name for metric in self.metrics]
        if len(set(names)) != len(names):
            raise ValueError(f"metrics: names must differ, got {names}")

    @property
    def treatments(self) -> tuple[str, ...]:
        """The arms other than control, in their order."""
        return tuple(arm for arm in self.arms if arm != self.control)

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


@dataclass(frozen=True, slots=True)
class Plan:
    """How the experiment is decided, as stored at its launch.

    alpha: family-wise error of the primary metrics, and one-sided error of each guardrail;
    false_discovery_rate: of the secondary metrics. deciding: which test decides. planned_units: size over
    all arms, None without a plan; units_per_day: the rate of new units, for the time left. looks:
    information fractions of the earlier looks of a group-sequential test, ascending. tuning: the sample
    size N* at which the confidence sequence is tightest. ended: no unit will be added. Raises ValueError
    for rates outside (0, 1), and for a group-sequential test without a planned size.
    """

    alpha: float = 0.05
    false_discovery_rate: float = 0.05
    deciding: Deciding = Deciding.FIXED
    planned_units: int | None = None
    units_per_day: float | None = None
    looks: tuple[float, ...] = field(default=())
    tuning: int = 10_000
    ended: bool = False
    sample_ratio_threshold: float = 0.001
    multiply_exposed_threshold: float = 0.01

    def __post_init__(self) -> None:
        for name in ("alpha", "false_discovery_rate"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name}: must lie inside (0, 1), got {getattr(self, name)}")
        if self.planned_units is not None and self.planned_units < 1:
            raise ValueError(f"planned_units: must be positive, got {self.planned_units}")
        if self.deciding is Deciding.GROUP_SEQUENTIAL and self.planned_units is None:
            raise ValueError("planned_units: a group-sequential test needs a planned size")

    def complete(self, units: int) -> bool:
        """Whether the planned end is reached: the experiment ended, or its planned size is there."""
        return self.ended or (self.planned_units is not None and units >= self.planned_units)
