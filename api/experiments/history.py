"""What ran when: the versions of experiments, as judging what units met needs them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from api.postgres.database import Connection
from api.recent import RecentMap

_ENTRIES = 2_000
"""Experiments whose history a process remembers, at least."""

_STOPPED = frozenset({"paused", "concluded", "archived"})
_version_of = attrgetter("version")
_since_of = attrgetter("since")

# Only what is not known yet: of an experiment that did not change that is nothing.
_NEWER = """
SELECT past.experiment_id, past.version,
    past.snapshot ->> CASE WHEN past.snapshot ->> 'status' IN ('concluded', 'archived')
                           AND past.snapshot ->> 'concluded_at' IS NOT NULL THEN 'concluded_at' ELSE 'received_at' END,
    past.snapshot ->> 'status', coalesce(past.snapshot ->> 'enrolment', 'open'),
    (past.snapshot ->> 'allocation')::integer,
    ARRAY(SELECT arm ->> 'key' FROM jsonb_array_elements(past.snapshot -> 'variants') AS arm
          WHERE arm ->> 'active' = 'false'),
    ARRAY(SELECT jsonb_array_elements_text(past.snapshot -> 'holdouts'))
FROM unnest(%s::integer[], %s::integer[]) AS known (experiment_id, version)
JOIN experiment_versions AS past
    ON past.experiment_id = known.experiment_id AND past.version > known.version
ORDER BY past.experiment_id, past.version
"""


@dataclass(frozen=True, slots=True)
class Past:
    """What holds from one version on, until the next.

    since: when that was, as the wire has times. dropped: arms that enrol nobody. holdouts: keys of those it respects.
    """

    version: int
    since: str
    status: str
    enrolment: str = "open"
    allocation: int = 10_000
    dropped: frozenset[str] = frozenset()
    holdouts: frozenset[str] = frozenset()

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def stopped(self) -> bool:
        """Whether it ran before and does not now: its key gives everybody the control, or what was decided."""
        return self.status in _STOPPED

    @property
    def is_open(self) -> bool:
        """Whether units that have no assignment may get one."""
        return self.running and self.enrolment == "open"


@dataclass(frozen=True, slots=True)
class History:
    """All versions of one experiment so far, by their order."""

    pasts: tuple[Past, ...] = ()

    @property
    def newest(self) -> int:
        """The number of the last version; 0 before the first."""
        return self.pasts[-1].version if self.pasts else 0

    def under(self, version: int) -> Past | None:
        """What that version says; None where there is no such version."""
        place = bisect_right(self.pasts, version, key=_version_of)
        found = self.pasts[place - 1] if place else None
        return found if found is not None and found.version == version else None

    def at(self, instant: str) -> Past | None:
        """What held at that time; None before the first version."""
        place = bisect_right(self.pasts, instant, key=_since_of)
        return self.pasts[place - 1] if place else None

    def stopped_at(self, instant: str) -> bool:
        """Whether it was paused or had ended by then. Before it ran it was not: a clock may be a little behind."""
        past = self.at(instant)
        return past is not None and past.stopped

    def lost_holdouts(self, past: Past) -> bool:
        """Whether a holdout that was respected then is gone by now, so that nobody knows who was in it."""
        return not past.holdouts <= self.pasts[-1].holdouts

    def followed_by(self, pasts: Sequence[Past]) -> History:
        """With newer versions. A time before that of the version before is that one's: clocks differ."""
        found = list(self.pasts)
        for past in pasts:
            since = max(past.since, found[-1].since) if found else past.since
            found.append(replace(past, since=since))
        return History(tuple(found))


class Histories:
    """The histories of experiments, remembered: a version never changes, so only newer ones are ever read."""

    def __init__(self) -> None:
        self._known: RecentMap[int, History] = RecentMap(_ENTRIES)

    async def read(self, connection: Connection, experiment_ids: Collection[int]) -> dict[int, History]:
        """Of each of these experiments all that is committed, in one query."""
        if not experiment_ids:
            return {}
        found = {number: self._known.get(number) or History() for number in experiment_ids}
        known = [history.newest for history in found.values()]
        cursor = await connection.execute(_NEWER.encode(), (list(found), known))
        newer: dict[int, list[Past]] = {}
        for number, version, since, status, *rest in await cursor.fetchall():
            enrolment, allocation, dropped, holdouts = rest
            past = Past(
                version, since, status, enrolment, allocation, frozenset(dropped), frozenset(holdouts)
            )
            newer.setdefault(number, []).append(past)
        for number, pasts in newer.items():
            found[number] = found[number].followed_by(pasts)
            self._known.put(number, found[number])
        return found
