"""Whether an experiment is fit to start: items of its checklist that follow from it and from the units seen. Pure.

What is `blocking` makes the experiment worthless or harmful for certain, and its start is refused unless it is forced.
All else is a warning: whoever starts it may know better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.experiments import examples, fitness, payloads
from api.experiments.answers import ExperimentOut
from api.experiments.repository import Row
from neonblue.bucketing import FULL_ALLOCATION
from neonblue.contract.violation import Violation

ENOUGH_UNITS = 1_000
"""Of so many units none was meant: with 95 % confidence it is less than three in a thousand."""
_MANY = 0.5


class Grade(StrEnum):
    """What an item of a checklist comes to."""

    OK = "ok"
    WARNING = "warning"
    BLOCKING = "blocking"


class ChecklistItem(BaseModel):
    """One thing that was looked at."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CHECKED]})

    code: str = Field(description="What was looked at, by a name that never changes its meaning")
    status: Grade = Field(
        description="ok; warning: look at it; blocking: before the start, why it is refused unless forced; after it, "
        "why the results can't be used"
    )
    headline: str = Field(description="What was found, in a sentence")
    cause: str | None = Field(
        default=None, description="Why it is so, or why it is not known; null where it is ok"
    )
    next_step: str | None = Field(default=None, description="What to do; null: nothing")
    evidence: dict[str, Any] = Field(default_factory=dict, description="The numbers that it was told by")

    @classmethod
    def ok(cls, code: str, headline: str, evidence: dict[str, Any], **more: str | None) -> Self:
        """Nothing speaks against it. more: cause, next_step."""
        return cls(code=code, status=Grade.OK, headline=headline, evidence=evidence, **more)

    @classmethod
    def warning(cls, code: str, headline: str, evidence: dict[str, Any], **more: str | None) -> Self:
        """Look at it. more: cause, next_step."""
        return cls(code=code, status=Grade.WARNING, headline=headline, evidence=evidence, **more)

    @classmethod
    def blocking(cls, code: str, headline: str, evidence: dict[str, Any], **more: str | None) -> Self:
        """Why it can't start, or can't be used. more: cause, next_step."""
        return cls(code=code, status=Grade.BLOCKING, headline=headline, evidence=evidence, **more)


@dataclass(frozen=True, slots=True)
class Matches:
    """What targeting says of a sample of the units seen.

    units: those in the sample. meant: those that may enter. unanswered: those that lack what the expression needs, so
    that it has no answer or reads nothing of theirs; why: of the first of them. The others are left out.
    """

    units: int
    meant: int
    unanswered: int = 0
    why: str | None = None

    @property
    def decided(self) -> int:
        """Units whose attributes the expression read."""
        return self.units - self.unanswered

    @property
    def share(self) -> float | None:
        """The share of the units that may enter, as they were seen; None where none was."""
        return self.meant / self.units if self.units else None


@dataclass(frozen=True, slots=True)
class Entry:
    """Which share of the units that targeting means can enter. Shares in basis points; holdouts: each one's, by key.

    layer: the part of its layer; None: it has none. is_open: whether new units get in at all.
    """

    allocation: int = FULL_ALLOCATION
    layer: int | None = None
    holdouts: dict[str, int] = field(default_factory=dict)
    is_open: bool = True

    @property
    def share(self) -> float:
        """Between 0 and 1: allocation, layer and holdouts go by hashes that do not depend on each other."""
        share = self.allocation / FULL_ALLOCATION
        if self.layer is not None:
            share *= self.layer / FULL_ALLOCATION
        for held in self.holdouts.values():
            share *= 1 - held / FULL_ALLOCATION
        return share


def entry_of(row: Row) -> Entry:
    """Of an experiment as it was read."""
    layer = row["layer"]
    held = {rule["key"]: rule["share"] for rule in row["holdout_rules"]}
    slots = None if layer is None else layer["end"] - layer["start"]
    return Entry(row["allocation"], slots, held, is_open=row["enrolment"] == "open")


def fitness_items(
    experiment: ExperimentOut, entry: Entry, matches: Matches | None
) -> Iterator[ChecklistItem]:
    """The items that can block. matches: None where there is no targeting, or it can't be read.

    An imported experiment's variants are given elsewhere: nothing of it is looked at here.
    """
    if experiment.source == "external":
        return
    yield targeting_item(experiment.targeting, matches)
    yield entry_item(entry)
    yield payloads_item(experiment)


def blocking(items: Iterator[ChecklistItem]) -> list[ChecklistItem]:
    return [item for item in items if item.status is Grade.BLOCKING]


def targeting_item(targeting: str | None, matches: Matches | None) -> ChecklistItem:
    """Whom targeting means among the units seen."""
    if targeting is None:
        return ChecklistItem.ok("targeting", "Every unit is meant: there is no targeting", {})
    refused = fitness.refused_targeting(targeting)
    if refused:
        return ChecklistItem.blocking(
            "targeting",
            "The targeting can't be what is meant",
            {"expression": targeting},
            cause="; ".join(rule.message for rule in refused),
            next_step="Write the expression anew",
        )
    if matches is None or not matches.units:
        return ChecklistItem.warning(
            "targeting",
            "It is not known whom the targeting means",
            {"units": 0},
            cause="No unit of this type has been seen with attributes",
            next_step="Send attributes with POST /v1/assignments, then look again",
        )
    return _matched(matches)


def _matched(matches: Matches) -> ChecklistItem:
    evidence = {"units": matches.units, "meant": matches.meant, "unanswered": matches.unanswered}
    headline = f"The targeting means {matches.meant:,} of {matches.units:,} units seen ({matches.share:.1%})"
    if matches.meant == 0 and matches.decided >= ENOUGH_UNITS:
        return ChecklistItem.blocking(
            "targeting",
            headline,
            evidence,
            cause=f"{matches.decided:,} units have the attributes that it reads, and none of them may enter",
            next_step="Mend the expression, or force the start where such units are yet to come",
        )
    if matches.unanswered > _MANY * matches.units:
        why = f": {matches.why}" if matches.why else ""
        return ChecklistItem.warning(
            "targeting",
            headline,
            evidence,
            cause=f"{matches.unanswered:,} units lack the attributes that it reads{why}",
            next_step="Send these attributes with each assignment: a unit without them stays out",
        )
    if matches.meant == 0:
        return ChecklistItem.warning(
            "targeting",
            headline,
            evidence,
            cause="None of the few units seen may enter",
            next_step="Look whether the expression says what is meant",
        )
    return ChecklistItem.ok("targeting", headline, evidence)


def entry_item(entry: Entry) -> ChecklistItem:
    """Which share of those that targeting means can enter."""
    evidence = {
        "share": entry.share,
        "allocation": entry.allocation,
        "layer": entry.layer,
        "holdouts": entry.holdouts,
    }
    headline = f"{entry.share:.3%} of the units that are meant can enter"
    whole = sorted(key for key, share in entry.holdouts.items() if share >= FULL_ALLOCATION)
    if whole:
        return ChecklistItem.blocking(
            "entry",
            "No unit can enter",
            evidence,
            cause=f"The holdout {', '.join(whole)} takes all units, and the experiment respects it",
            next_step="Make the holdout smaller, or name the holdouts that the experiment respects",
        )
    if not entry.is_open:
        return ChecklistItem.warning(
            "entry",
            "No unit can enter",
            evidence,
            cause="The enrolment is closed: every unit gets the control, and none is measured",
            next_step="Change enrolment to open, before the start or while it runs",
        )
    if entry.allocation == 0:
        return ChecklistItem.warning(
            "entry",
            "No unit can enter yet",
            evidence,
            cause="The allocation is 0",
            next_step="Raise it once it runs: it may only grow",
        )
    small = fitness.small_allocation(entry.allocation)
    if small is not None:
        return ChecklistItem.warning(
            "entry",
            headline,
            evidence,
            cause=small.message,
            next_step="Look whether a percentage was written for basis points",
        )
    return ChecklistItem.ok("entry", headline, evidence)


def payloads_item(experiment: ExperimentOut) -> ChecklistItem:
    """Whether an application reads the same whichever arm it gets."""
    refused = list(payloads.refusals(experiment.variants))
    doubted = list(payloads.doubts(experiment.variants))
    if not (refused or doubted):
        given = sum(arm.payload is not None for arm in experiment.variants)
        return ChecklistItem.ok(
            "payloads",
            "The arms' payloads have one shape" if given else "No arm has a payload",
            {"arms": given},
        )
    graded = ChecklistItem.blocking if refused else ChecklistItem.warning
    return graded(
        "payloads",
        "The arms' payloads are of several types" if refused else "The arms' payloads differ in shape",
        {"fields": [rule.field for rule in (*refused, *doubted)]},
        cause=_said(refused or doubted),
        next_step="Give every arm a payload of the same type and fields",
    )


def _said(rules: Sequence[Violation]) -> str:
    return "; ".join(rule.message for rule in rules)
