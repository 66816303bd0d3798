"""What the load's clients were told: the one side of the comparison."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

Unit = tuple[str, str]
"""An experiment's key and a unit's id."""


@dataclass(slots=True)
class Notes:
    """Ids are texts; times are seconds of the monotonic clock.

    `acknowledged`: when each event was answered as stored, by id. `sent`: ids whose request has, or had, no answer:
    they may be stored or not. `keys`: Idempotency-Keys whose request had no answer, with the most events that each may
    have stored. `owners`: whose an event is. `answered`: every variant that a unit was ever told in an experiment
    whose answers are stored. `stored_answers`: those of them that the API promised to have stored. `pairs`: an
    anonymous unit and the person it was linked to, who must have one variant. `erased`: persons whose erasure was
    asked for; `erasures_answered`: for whom that was answered. `wrong`: answers that no fault excuses.
    """

    acknowledged: dict[str, float] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    keys: dict[str, int] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    answered: dict[Unit, set[str]] = field(default_factory=dict)
    stored_answers: dict[Unit, str] = field(default_factory=dict)
    pairs: list[tuple[Unit, Unit]] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    erasures_answered: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def sending(self, ids: Iterable[str], owner: str) -> None:
        """A request with these events goes out."""
        for one in ids:
            self.sent.add(one)
            self.owners[one] = owner

    def acknowledge(self, ids: Iterable[str], now: float) -> None:
        """The API answered that these are stored."""
        for one in ids:
            self.acknowledged.setdefault(one, now)
            self.sent.discard(one)

    def refused(self, ids: Iterable[str], reason: str) -> None:
        """The API answered that it will not store these, though they are good."""
        for one in ids:
            self.sent.discard(one)
            self.wrong.append(f"the API refused a good event {one}: {reason}")

    def was_told(self, unit: Unit, variant: str, *, stored: bool) -> None:
        """The API answered this variant; `stored`: and promised that it is stored."""
        self.answered.setdefault(unit, set()).add(variant)
        if stored:
            self.stored_answers.setdefault(unit, variant)

    def due(self) -> set[str]:
        """The ids that must be stored: acknowledged, and not of a person whose erasure was asked for."""
        return {one for one in self.acknowledged if self.owners.get(one) not in self.erased}

    def copy(self) -> Notes:
        """As they are now; the load goes on to write into these."""
        sent = set(self.sent)  # first: what is acknowledged meanwhile is in both then, and never in neither
        return Notes(
            dict(self.acknowledged),
            sent,
            dict(self.keys),
            dict(self.owners),
            {unit: set(told) for unit, told in dict(self.answered).items()},
            dict(self.stored_answers),
            list(self.pairs),
            set(self.erased),
            set(self.erasures_answered),
            list(self.wrong),
        )


def longest_gap(times: Iterable[float], began: float, ended: float) -> float:
    """The longest time without an acknowledgement between two moments."""
    moments = [began, *sorted(time for time in times if began < time < ended), ended]
    return max(after - before for before, after in pairwise(moments))
