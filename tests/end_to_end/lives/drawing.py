"""Draws from a seed who comes to which life and when, and what they do there and elsewhere.

Every time lies so that no window ends within an hour before, or some hours after, the moment at which the lives are
played: units enter four to twenty hours before that time of some earlier day, and windows are of whole days.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from tests.end_to_end.lives.design import DAY, Json, Life

Item = TypeVar("Item")
PEOPLE = 700
DEVICES = 200
ANONYMOUS = 70
SHARES = (0.7, 0.18, 0.12)
"""Of a life's units, how many try to enter in each phase."""

_DAYS = ((1, 8), (0, 4), (0, 1))
_BEFORE = 16
_AT_ONCE = (0.05, 0.3, 0.3)
_EDGES = (
    timedelta(0),
    timedelta(days=1),
    timedelta(microseconds=-1),
    timedelta(seconds=-30),
    timedelta(hours=2),
)
"""From a unit's exposure on: what is right on a border of a window, or just outside."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A unit that enters a life. exposed_at: None if never or with the assignment; at_once: with it."""

    user: str
    exposed_at: datetime | None
    at_once: bool
    attributes: Json | None


class Drawing:
    """All that is drawn. now: the moment at which the lives begin to be played."""

    def __init__(self, seed: int, now: datetime) -> None:
        self._chance = random.Random(seed)
        self.now = now
        self.people = [f"person-{n}" for n in range(PEOPLE)]
        self.devices = [f"device-{n}" for n in range(DEVICES)]
        self.pairs = [(f"anonymous-{n}", f"person-{n}") for n in range(ANONYMOUS)]
        self._units: dict[str, list[str]] = {}

    def visits(self, life: Life, phase: int) -> list[Visit]:
        """Who tries to enter the life in this phase."""
        units = self._units.setdefault(life.key, self._drawn_units(life))
        first = round(sum(SHARES[:phase]) * len(units))
        last = round(sum(SHARES[: phase + 1]) * len(units))
        return [self._visit(life, user, phase) for user in units[first:last]]

    def _drawn_units(self, life: Life) -> list[str]:
        pool = self.devices if life.unit_type == "device" else self.people + [one for one, _ in self.pairs]
        return self._chance.sample(pool, min(life.units, len(pool)))

    def _visit(self, life: Life, user: str, phase: int) -> Visit:
        chance = self._chance
        attributes = None
        if life.attributes:
            attributes = {
                "country": chance.choice(["DE", "FR", "NL"]),
                "paying": chance.random() < 0.3,
                "level": chance.randint(1, 3),
            }
        if chance.random() < 0.05:
            return Visit(user, None, False, attributes)
        if not life.external and chance.random() < _AT_ONCE[phase]:
            return Visit(user, None, True, attributes)
        days = chance.randint(*_DAYS[phase])
        ago = timedelta(days=days, seconds=chance.uniform(4 * 3600, 20 * 3600))
        return Visit(user, self.now - ago, False, attributes)

    def arm(self, life: Life) -> str:
        """One that was given elsewhere."""
        return self._chance.choices(life.arms, list(life.weights.values()))[0]

    def exposures(self, life: Life, visits: Sequence[Visit], given: dict[str, str]) -> Iterator[Json]:
        """The exposures of those that were assigned, some of them more than once."""
        for visit in visits:
            if visit.user in given and visit.exposed_at is not None:
                if not life.external:
                    yield self._event(visit.user, "exposure", visit.exposed_at, life)
                if self._chance.random() < 0.15:
                    later = visit.exposed_at + timedelta(seconds=self._chance.uniform(1, 7200))
                    yield self._event(visit.user, "exposure", later, life)

    def outcomes(self, life: Life, visits: Sequence[Visit], given: dict[str, str]) -> Iterator[Json]:
        """What units do in the life alone, more so in the last arm."""
        last, moment = life.arms[-1], datetime.now(UTC)
        for visit in visits:
            if visit.user not in given:
                continue
            since = visit.exposed_at or moment
            span = (moment - since).total_seconds()
            for _ in range(self._count(0.7 + 0.5 * (given[visit.user] == last))):
                at = since + timedelta(seconds=self._chance.uniform(0, span))
                yield self._event(visit.user, self._kind(), at, life)
            if visit.exposed_at is not None and self._chance.random() < 0.2:
                at = visit.exposed_at + self._chance.choice(_EDGES)
                yield self._event(visit.user, "purchase", min(at, moment), life)

    def elsewhere(self, users: Sequence[str], mean: float) -> Iterator[Json]:
        """What people do that names no experiment: before their exposures and after."""
        for user in users:
            for _ in range(self._count(mean)):
                at = self.now - timedelta(seconds=self._chance.uniform(1800, _BEFORE * DAY))
                yield self._event(user, self._kind(), at)

    def earlier(self, life: Life, visits: Sequence[Visit]) -> Iterator[Json]:
        """Exposures that come late, of before those that are known."""
        for visit in visits:
            if visit.exposed_at is not None and self._chance.random() < 0.1:
                yield self._event(visit.user, "exposure", visit.exposed_at - timedelta(days=1), life)

    def shuffled(self, events: Sequence[Json]) -> list[Json]:
        """In no order, one in twenty a second time."""
        again = [event for event in events if self._chance.random() < 0.05]
        mixed = [*events, *again]
        self._chance.shuffle(mixed)
        return mixed

    def strangers(self, life: Life, visits: Sequence[Visit]) -> Iterator[Json]:
        """Exposures of some that were turned away."""
        for visit in visits[:4]:
            yield self._event(visit.user, "exposure", visit.exposed_at or self.now, life)

    def some(self, items: Sequence[Item], count: int) -> list[Item]:
        """So many of these at random."""
        return self._chance.sample(items, min(count, len(items)))

    def _kind(self) -> str:
        return self._chance.choices(
            ["page_view", "purchase", "wait", "rating", "error", "refund", "cancel"],
            [50, 18, 14, 8, 5, 3, 0.4],
        )[0]

    def _count(self, mean: float) -> int:
        return sum(self._chance.random() < mean / 8 for _ in range(8))

    def _event(self, user: str, kind: str, at: datetime, life: Life | None = None) -> Json:
        chance = self._chance
        event: Json = {
            "id": str(UUID(int=chance.getrandbits(128), version=4)),
            "user_id": user,
            "event_type": kind,
            "timestamp": at.isoformat(timespec="microseconds"),
        }
        if user.startswith("device"):
            event["unit_type"] = "device"
        if life is not None:
            event["experiment"] = life.key
        if chance.random() < 0.5:
            event["session_id"] = f"{user}, session {chance.randint(1, 4)}"
        match kind:
            case "purchase":
                # Every third price is a common one: ties.
                value = chance.choice([10, 20, 20]) if chance.random() < 0.33 else chance.lognormvariate(3, 1)
                event["value"] = f"{value:.2f}"
            case "wait":
                event["value"] = f"{chance.gammavariate(4, 0.5):.6f}"
            case "rating":
                event["value"] = str(chance.randint(0, 5))
            case "refund":
                event["value"] = f"{-chance.uniform(1, 30):.2f}"
        if kind in ("page_view", "purchase"):
            page = chance.choice(["/a", "/checkout"])
            event["properties"] = {"page": page, "from": chance.choice(["app", "web"]), "items": 2}
        return event
