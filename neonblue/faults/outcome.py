"""What became of each fault and of a run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from neonblue.faults.kinds import Kind
from neonblue.faults.oracle import Findings
from neonblue.faults.plan import Fault, Plan

TOLD_WITHIN_SECONDS = 60.0


class Remedy(StrEnum):
    """What made the stack whole after a fault."""

    ITSELF = "itself"
    REPAIR = "neonblue reconcile --repair"
    RESTART = "a restart"
    HAND = "the fault's opposite, done by hand"
    NOTHING = "nothing"


@dataclass(slots=True)
class FaultOutcome:
    """One fault. Seconds count from its first moment; `recovered` from its end where nothing can recover earlier.

    `skipped`: why it was not done; '' where it was. `told`: after so long the product named it, None: not within a
    minute; `told_by`: how. `recovered`: None: not by itself. `gap`: the longest time without an acknowledgement.
    `found`: what was wrong after it, before anybody helped; `left`: what still was after that.
    """

    fault: Fault
    skipped: str = ""
    told: float | None = None
    told_by: str = ""
    recovered: float | None = None
    remedy: Remedy = Remedy.NOTHING
    gap: float = 0.0
    found: Findings = field(default_factory=Findings)
    left: Findings = field(default_factory=Findings)

    @property
    def healed(self) -> bool:
        """Whether the product recovered by itself, with all its data."""
        return self.remedy is Remedy.ITSELF

    @property
    def needs_telling(self) -> bool:
        """Whether it must be told: what is whole again within a minute need not."""
        quick = self.healed and self.recovered is not None and self.recovered <= TOLD_WITHIN_SECONDS
        return bool(self.fault.names) and not quick

    @property
    def untold(self) -> bool:
        """Whether nobody was told who should have been."""
        return not self.skipped and self.needs_telling and self.told is None


@dataclass(slots=True)
class RunOutcome:
    """One run. `final`: what was wrong at its end, after every remedy. `stuck`: sentences on what did not end or did
    not become ready. `marts`: those that are not as a clean build's; None: not compared. `down_seconds`: None: killed.
    """

    plan: Plan
    faults: list[FaultOutcome] = field(default_factory=list)
    final: Findings = field(default_factory=Findings)
    stuck: list[str] = field(default_factory=list)
    marts: list[str] | None = None
    acknowledged: int = 0
    unanswered: int = 0
    units: int = 0
    down_seconds: float | None = None
    repair_available: bool = False
    folder: str = ""
    interrupted: bool = False

    @property
    def untold(self) -> list[FaultOutcome]:
        """The faults that were not told."""
        return [one for one in self.faults if one.untold]

    @property
    def unhealed(self) -> list[FaultOutcome]:
        """The faults after which somebody had to help."""
        return [one for one in self.faults if not one.skipped and not one.healed]

    @property
    def good(self) -> bool:
        """Whether nothing was lost, doubled, stuck or untold."""
        harmed = any(one.found.doubled or one.found.lost or one.found.moved for one in self.faults)
        hopeless = any(one.remedy is Remedy.NOTHING for one in self.unhealed)
        return not (
            harmed or hopeless or self.interrupted or self.final or self.stuck or self.marts or self.untold
        )


@dataclass(frozen=True, slots=True)
class Row:
    """All faults of one kind (and service). Seconds; None: there is no such time."""

    title: str
    runs: int
    skipped: str
    lost: int
    missing: int
    doubled: int
    healed: int
    helped_by: tuple[str, ...]
    untold: int
    told_max: float | None
    recovery_median: float | None
    recovery_max: float | None
    gap_max: float


def rows(outcomes: Sequence[RunOutcome]) -> list[Row]:
    """One row for each kind and service that was planned, in the kinds' order."""
    by_title: dict[str, list[FaultOutcome]] = {}
    order = {kind: place for place, kind in enumerate(Kind)}
    every = [one for outcome in outcomes for one in outcome.faults]
    for one in sorted(every, key=lambda one: (order[one.fault.kind], one.fault.target)):
        by_title.setdefault(one.fault.title, []).append(one)
    return [_row(title, group) for title, group in by_title.items()]


def _row(title: str, group: Sequence[FaultOutcome]) -> Row:
    done = [one for one in group if not one.skipped]
    told = [one.told for one in done if one.told is not None]
    recovered = sorted(one.recovered for one in done if one.recovered is not None)
    return Row(
        title=title,
        runs=len(done),
        skipped=next((one.skipped for one in group if one.skipped), ""),
        lost=sum(len(one.found.lost) for one in done),
        missing=sum(len(one.found.missing) for one in done),
        doubled=sum(len(one.found.doubled) for one in done),
        healed=sum(one.healed for one in done),
        helped_by=tuple(sorted({one.remedy.value for one in done if not one.healed})),
        untold=sum(one.untold for one in done),
        told_max=max(told, default=None),
        recovery_median=recovered[len(recovered) // 2] if recovered else None,
        recovery_max=recovered[-1] if recovered else None,
        gap_max=max((one.gap for one in done), default=0.0),
    )
