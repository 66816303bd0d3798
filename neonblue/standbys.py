"""The copies of PostgreSQL that a commit waits for: which it is told of, and which of them are there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

_ANY_NAME = "*"
_STREAMS = "streaming"
_LISTS = re.compile(
    r"\s*(?:(?:FIRST|ANY)\s+)?(?P<needed>\d+)\s*\((?P<names>.*)\)\s*", re.IGNORECASE | re.DOTALL
)
_NAME = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>[^\s,"]+)')
_SETTINGS = """
SELECT current_setting('synchronous_standby_names'), current_setting('synchronized_standby_slots', true),
    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
"""
_ATTACHED = "SELECT application_name, state FROM pg_stat_replication"
# Whole rows: older servers lack the newer columns.
_SLOTS = "SELECT to_jsonb(slots) FROM pg_replication_slots AS slots"
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `synchronous_standby_names` says: a commit waits for `needed` of the standbys `names`; 0: for none."""

    needed: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot of the primary. `since`: when it was last in use; None while it is, or where nobody knows.

    lost: PostgreSQL has given it up, and whoever read it must begin anew.
    """

    name: str
    active: bool
    logical: bool
    failover: bool
    lost: bool
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Standbys:
    """What a primary knows at one moment.

    attached: the name and the state of each connection that copies; several may have one name, as those do that
    were given none. waiting: commits that wait for a standby now.
    stream_waits_for: the slots that have to have a change before a logical slot with failover is told of it.
    """

    wanted: Wanted
    attached: Sequence[tuple[str, str]]
    slots: Mapping[str, Slot]
    stream_waits_for: tuple[str, ...]
    waiting: int

    @property
    def streaming(self) -> Mapping[str, bool]:
        """Whether each standby that is named is there with all there is; of `*`, whether there are enough."""
        copies = self._copies
        enough = copies.total() >= self.wanted.needed
        return {name: enough if name == _ANY_NAME else copies[name.lower()] > 0 for name in self.wanted.names}

    @property
    def missing(self) -> tuple[str, ...]:
        """The named standbys that are not."""
        return tuple(name for name, there in self.streaming.items() if not there)

    @property
    def commits_wait(self) -> bool:
        """Whether fewer standbys stream than a commit needs."""
        if _ANY_NAME in self.wanted.names:
            return not self.streaming[_ANY_NAME]
        return sum(self._copies[name.lower()] for name in self.wanted.names) < self.wanted.needed

    def state_of(self, name: str) -> str | None:
        """What its connection does; None where it has none."""
        return next((state for attached, state in self.attached if attached.lower() == name.lower()), None)

    @property
    def _copies(self) -> Counter[str]:
        """Connections that stream, by their name in small letters: PostgreSQL counts each."""
        return Counter(name.lower() for name, state in self.attached if state == _STREAMS)

    @property
    def stream_waits(self) -> tuple[str, ...]:
        """The slots that hold up the stream: not in use, lost, or not there."""
        return tuple(
            name for name in self.stream_waits_for if name not in self.slots or not self.slots[name].active
        )


def look(connection: Connection) -> Standbys | None:
    """What is so now; None where whoever asks may not see it (pg_read_all_stats). Raises psycopg.Error."""
    (row,) = connection.execute(_SETTINGS)
    names, slots, may_see = row
    if not may_see:
        return None
    ((waiting,),) = connection.execute(_WAITING)
    return Standbys(
        wanted=wanted(names),
        attached=[(name, state) for name, state in connection.execute(_ATTACHED)],
        slots={one.name: one for (given,) in connection.execute(_SLOTS) for one in [_slot(given)]},
        stream_waits_for=tuple(_names(slots or "")),
        waiting=int(waiting),
    )


def wanted(text: str) -> Wanted:
    """The value of `synchronous_standby_names`, by the grammar of PostgreSQL 18 (19.6.2, Primary Server)."""
    listed = _LISTS.fullmatch(text)
    names = tuple(_names(listed["names"] if listed else text))
    needed = int(listed["needed"]) if listed else 1
    return Wanted(needed if names else 0, names)


def _names(text: str) -> Sequence[str]:
    return [
        found["plain"] if found["quoted"] is None else found["quoted"].replace('""', '"')
        for found in _NAME.finditer(text)
    ]


def _slot(given: Mapping[str, Any]) -> Slot:
    since = given.get("inactive_since")
    return Slot(
        name=given["slot_name"],
        active=given["active"],
        logical=given["slot_type"] == "logical",
        failover=bool(given.get("failover")),
        lost=given.get("wal_status") == "lost" or given.get("invalidation_reason") is not None,
        since=datetime.fromisoformat(since) if since else None,
    )
