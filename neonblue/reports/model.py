"""What a report shows. Every part that can't be shown is `Unavailable` with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias

from neonblue.analysis.about import About
from neonblue.analysis.segmentation import SegmentEffect
from neonblue.findings.effect import Effect, Scale
from neonblue.findings.said import Outcome, Said
from neonblue.statistics import Finding, finding_of

__all__ = [
    "ArmExposure",
    "ArmRevenue",
    "ArmShare",
    "Effect",
    "ExperimentLine",
    "ExperimentReport",
    "FunnelStep",
    "HealthRow",
    "Outcome",
    "Overview",
    "Provenance",
    "RetentionPoint",
    "Said",
    "Scale",
    "Sequence",
    "SequencePoint",
    "Unavailable",
]


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why a part is missing, in one sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the numbers come from.

    source: in words, such as the file's name. computed_at: when; watermark: everything received up to then is
    in the numbers, None where there is no stream.
    """

    source: str
    computed_at: datetime
    code_version: str
    watermark: datetime | None = None
    configuration_version: int | None = None


@dataclass(frozen=True, slots=True)
class SequencePoint:
    """The difference as all units that entered up to and on `day` give it, with its any-time interval."""

    day: date
    units: int
    difference: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Sequence:
    """One metric of one arm over time, days ascending."""

    metric: str
    arm: str
    scale: Scale
    level: float
    points: tuple[SequencePoint, ...]


@dataclass(frozen=True, slots=True)
class ArmExposure:
    """First exposures of one arm on one UTC day."""

    day: date
    arm: str
    units: int


@dataclass(frozen=True, slots=True)
class ArmShare:
    """Units of an arm beside what the allocation makes one expect."""

    arm: str
    observed: int
    expected: float


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """Units of an arm that reached a step in order; step 0 is the exposure."""

    step: int
    name: str
    arm: str
    units: int


@dataclass(frozen=True, slots=True)
class RetentionPoint:
    """Of an arm's units that could be seen `day` days after their first exposure, those that came back."""

    day: int
    arm: str
    units: int
    retained: int


@dataclass(frozen=True, slots=True)
class ArmRevenue:
    """An arm's revenue within a metric's window.

    incremental: against control at equal size, with its interval at `level`.
    """

    metric: str
    arm: str
    units: int
    revenue: float
    incremental: float | None = None
    lower: float | None = None
    upper: float | None = None
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One check in words. blocking: a failure makes the results unusable, else it warns. told: as of `HealthCheck`."""

    name: str
    passed: bool
    message: str
    blocking: bool = True
    told: bool = True

    @property
    def finding(self) -> Finding:
        """What it found, in one word."""
        return finding_of(passed=self.passed, blocking=self.blocking, told=self.told)


Sequences: TypeAlias = tuple[Sequence, ...] | Unavailable
Exposures: TypeAlias = tuple[ArmExposure, ...] | Unavailable
Shares: TypeAlias = tuple[ArmShare, ...] | Unavailable
Funnel: TypeAlias = tuple[FunnelStep, ...] | Unavailable
Retention: TypeAlias = tuple[RetentionPoint, ...] | Unavailable
Revenue: TypeAlias = tuple[ArmRevenue, ...] | Unavailable
Segments: TypeAlias = tuple[SegmentEffect, ...] | Unavailable
_NO_TIMES = Unavailable("The data say nothing of when a unit entered.")


@dataclass(frozen=True, slots=True)
class ExperimentReport:
    """Everything one experiment's report shows. arms: control first.

    said: what the data say. about: None of a file. units: in all arms; None where they are not counted.
    """

    key: str
    title: str
    said: Said
    arms: tuple[str, ...]
    effects: tuple[Effect, ...]
    health: tuple[HealthRow, ...]
    methods: tuple[str, ...]
    provenance: Provenance
    hypothesis: str = ""
    shares: Shares = Unavailable("There is no allocation to compare with.")
    sequences: Sequences = _NO_TIMES
    exposures: Exposures = _NO_TIMES
    funnel: Funnel = Unavailable("The data hold no steps.")
    retention: Retention = Unavailable("The data hold no visits by day.")
    revenue: Revenue = Unavailable("The data name no revenue.")
    segments: Segments = Unavailable("No attribute was asked for.")
    units: int | None = None
    about: About | None = None


@dataclass(frozen=True, slots=True)
class ExperimentLine:
    """One experiment in the overview.

    headline: the primary metric's change. report: the address of its report, relative to the overview's; empty
    without one.
    """

    key: str
    title: str
    status: str
    said: Said
    units: int
    headline: Effect | None = None
    unhealthy: tuple[str, ...] = ()
    report: str = ""
    about: About | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """The experiments of a week."""

    first_day: date
    last_day: date
    experiments: tuple[ExperimentLine, ...]
    provenance: Provenance
