"""What has come lately, whoever is in an experiment: units seen, events by type, events that were sent twice.

Read from what was ingested, so that it is there before any build. Erased and linked ids are counted as they were sent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from clickhouse_connect.driver.client import Client

SEEN_DAYS = 14
ARRIVED_DAYS = 7
_DAY = timedelta(days=1)
# Of each unit its last event: who was seen within the last d days is whoever's last event is no older.
_SEEN = """
SELECT intDiv(dateDiff('second', last_at, {now:DateTime64(6, 'UTC')}), 86400) AS days_ago, count(), min(first_at)
FROM
(
    SELECT max(timestamp) AS last_at, min(timestamp) AS first_at
    FROM events_processed
    WHERE timestamp >= {since:DateTime64(6, 'UTC')} AND timestamp < {now:DateTime64(6, 'UTC')}
        AND unit_type = {unit_type:String}
    GROUP BY user_id
)
GROUP BY days_ago
ORDER BY days_ago
SETTINGS final = 0, max_execution_time = 3
"""
_ARRIVED = """
SELECT event_type, count(), max(timestamp)
FROM recent_events
WHERE timestamp >= {since:DateTime64(6, 'UTC')} AND unit_type = {unit_type:String}
    AND event_type IN {event_types:Array(String)}
GROUP BY event_type
SETTINGS final = 0, max_execution_time = 3
"""
# As the models filter a metric's events.
_FILTERED = """
SELECT count(), max(timestamp)
FROM recent_events
WHERE timestamp >= {since:DateTime64(6, 'UTC')} AND unit_type = {unit_type:String}
    AND event_type = {event_type:String}
    AND arrayAll(
        (property, wanted) -> coalesce(JSONExtract(properties, property, 'Nullable(String)') = wanted, false),
        {properties:Array(String)},
        {wanted:Array(String)}
    )
SETTINGS final = 0, max_execution_time = 3
"""
_REPEATED = """
SELECT count(), count() - uniqExact(user_id, event_type, timestamp, value, properties)
FROM
(
    SELECT user_id, event_type, timestamp, value, properties
    FROM recent_events
    WHERE timestamp >= {since:DateTime64(6, 'UTC')} AND unit_type = {unit_type:String}
        AND event_type IN {event_types:Array(String)} AND experiment_id IN (0, {experiment:UInt32})
    LIMIT 1 BY user_id, timestamp, event_id
)
SETTINGS final = 0, max_execution_time = 3
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """Units with an event lately. within: at d - 1, how many were seen within the last d days; it never falls.

    days: of how many of the last `SEEN_DAYS` days there is anything, from the first event on.
    """

    within: tuple[int, ...]
    days: int

    @property
    def units(self) -> int:
        """Over all these days."""
        return self.within[self.days - 1] if self.days else 0

    @property
    def new_units_a_day(self) -> float:
        """How many a day were not seen in the days before: of the later half of the time, of which more is known."""
        if self.days < 2:
            return float(self.units)
        half = self.days // 2
        return (self.within[self.days - 1] - self.within[half - 1]) / (self.days - half)

    def days_until(self, units: float) -> int | None:
        """In how many days so many units will be seen, from 1, if those to come are as those that came; None: never."""
        for day in range(self.days):
            if self.within[day] >= units:
                return day + 1
        more = self.new_units_a_day
        if not self.days or more <= 0:
            return None
        missing = units - self.units
        return self.days + int(-(-missing // more))


@dataclass(frozen=True, slots=True)
class Source:
    """Events that a metric counts: of a type, with these properties (name and value)."""

    event_type: str
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Arrived:
    """Events of a source within the last `ARRIVED_DAYS` days. last_at: an aware time; None where there is none."""

    events: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """Events within a day. repeated: of which another one says the same of the same unit at the same microsecond."""

    events: int
    repeated: int


@dataclass(frozen=True, slots=True)
class _Span:
    """A time that ends now."""

    length: timedelta
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def since(self) -> datetime:
        return self.now - self.length


def read_seen(client: Client, unit_type: str, now: datetime | None = None) -> Seen:
    """Units of this type with an event in the last days. Raises ClickHouse's or the network's error."""
    span = _Span(SEEN_DAYS * _DAY) if now is None else _Span(SEEN_DAYS * _DAY, now)
    parameters = {"since": span.since, "now": span.now, "unit_type": unit_type}
    return seen_of(client.query(_SEEN, parameters=parameters).result_rows, span.now)


def seen_of(rows: Sequence[Sequence[Any]], now: datetime) -> Seen:
    """Rows: days since a unit's last event, units, and the first event of any of them. now: an aware time."""
    by_day = [0] * SEEN_DAYS
    first = now
    for days_ago, units, first_at in rows:
        by_day[min(days_ago, SEEN_DAYS - 1)] += units
        first = min(first, first_at.replace(tzinfo=UTC))
    days = min(SEEN_DAYS, -(-(now - first) // _DAY))
    return Seen(tuple(accumulate(by_day)), days)


def read_arrived(client: Client, unit_type: str, sources: Collection[Source]) -> dict[Source, Arrived]:
    """What came of each source. Raises ClickHouse's or the network's error."""
    common = {"since": _Span(ARRIVED_DAYS * _DAY).since, "unit_type": unit_type}
    whole = sorted({source.event_type for source in sources if not source.properties})
    found = {source: Arrived() for source in sources}
    if whole:
        rows = client.query(_ARRIVED, parameters={**common, "event_types": whole}).result_rows
        found |= {Source(name): Arrived(events, _aware(last)) for name, events, last in rows}
    for source in found:
        if source.properties:
            asked = {
                **common,
                "event_type": source.event_type,
                "properties": [name for name, _ in source.properties],
                "wanted": [value for _, value in source.properties],
            }
            ((events, last),) = client.query(_FILTERED, parameters=asked).result_rows
            found[source] = Arrived(events, _aware(last)) if events else Arrived()
    return found


def read_repeated(
    client: Client, unit_type: str, experiment_id: int, event_types: Collection[str]
) -> Repeated:
    """Of a day's events that count in the experiment, by their type. Raises ClickHouse's or the network's error."""
    parameters = {
        "since": _Span(_DAY).since,
        "unit_type": unit_type,
        "experiment": experiment_id,
        "event_types": sorted(event_types),
    }
    ((events, repeated),) = client.query(_REPEATED, parameters=parameters).result_rows
    return Repeated(int(events), int(repeated))


def _aware(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC)
