"""Erasure in ClickHouse, over its HTTP interface.

The erased are known by hashes, here as in `erased_users`, so that no statement that ClickHouse keeps (a mutation, a
query log) holds an id. Tables are found in the catalogue: whatever has a column `user_id` or `anonymous_id`
holds people. The days that rows were of are noted before they go: nothing else tells the models what to build anew.
Of these days, segments of one unit go as well: a segment is an attribute's value, and may be the person's alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from clickhouse_connect.driver.client import Client

from api.users.repository import Person
from neonblue.clickhouse.client import connect, execute
from neonblue.contract.instants import microseconds
from neonblue.settings import ClickHouseSettings

_TABLES = """
SELECT
    tables.name AS name,
    arrayJoin(arrayIntersect(['user_id', 'anonymous_id'], groupArray(columns.name))) AS id_column,
    has(groupArray(columns.name), 'unit_type') AS typed,
    anyIf(if(columns.default_kind = 'ALIAS', columns.default_expression, columns.name), columns.name = 'received_at')
    AS received,
    multiIf(
        has(groupArray(columns.name), 'exposure_date'), 'exposure',
        has(groupArray(columns.name), 'timestamp'), 'event',
        ''
    ) AS axis,
    hasAll(groupArray(columns.name), ['user_id', 'anonymous_id']) AS links
FROM system.tables AS tables
INNER JOIN system.columns AS columns ON tables.database = columns.database AND tables.name = columns.table
WHERE tables.database = currentDatabase() AND tables.engine LIKE '%MergeTree'
GROUP BY tables.name
ORDER BY name, id_column
"""
_ARRIVED = """
SELECT hex(person), any(person_key), max(erased_at) FROM erased_users
WHERE hex(person) IN {persons:Array(String)} GROUP BY person
"""
# cityHash64 is cheap and decides nearly every row; SHA-256 decides the rest.
_MATCHES = """cityHash64({unit_type}, {column}) IN {{keys:Array(UInt64)}}
AND hex(SHA256(concat({unit_type}, '\\0', {column}))) IN {{persons:Array(String)}}"""
_ERASED_UNTIL = """
fromUnixTimestamp64Micro(
    transform(
        hex(SHA256(concat({unit_type}, '\\0', {column}))),
        {{persons:Array(String)}},
        {{instants:Array(Int64)}},
        toInt64(0)
    ),
    'UTC'
)
"""
_COUNT = """
SELECT hex(SHA256(concat({unit_type}, '\\0', {column}))) AS person, count()
FROM `{table}` WHERE {condition} GROUP BY person
"""
_NOTE_DAYS = """
INSERT INTO erased_days (axis, day, removed_at)
SELECT DISTINCT '{axis}', {day}, now64(3, 'UTC') FROM `{table}` WHERE {condition}
"""
_DAYS = {"exposure": "exposure_date", "event": "toDate(timestamp, 'UTC')"}
_FIRST_DAYS = "SELECT DISTINCT exposure_date FROM `{table}` WHERE {condition}"
_SEGMENTED = """
SELECT table FROM system.columns WHERE database = currentDatabase()
GROUP BY table HAVING hasAll(groupArray(name), ['attribute', 'segment', 'exposure_date', 'n'])
AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')
"""
# A segment of one unit may be a value that only this person had, such as an address: also where that one has no value
# of the metric, and n is 0. Its day is built anew.
_DELETE_LONE = "ALTER TABLE `{table}` DELETE WHERE n <= 1 AND exposure_date IN {{days:Array(Date)}}"
# Whose numbers change with a link that goes: of the two ids, the one that stays.
_LINKED = """
(unit_type, user_id) IN (SELECT unit_type, arrayJoin([user_id, anonymous_id]) FROM `{table}` WHERE {condition})
"""
_DELETE = "ALTER TABLE `{table}` DELETE WHERE {condition}"
_RETURNED = """
SELECT DISTINCT hex(SHA256(concat({unit_type}, '\\0', {column}))) FROM `{table}` WHERE {condition}
"""
_FORGET = """
ALTER TABLE erased_users DELETE
WHERE erased_at <= fromUnixTimestamp64Micro(
    transform(hex(person), {persons:Array(String)}, {instants:Array(Int64)}, toInt64(0)), 'UTC'
)
"""
_LETTERS = """
SELECT topic, _partition, _offset, element FROM dead_letters WHERE match(message, {pattern:String})
"""
_DELETE_LETTERS = """
ALTER TABLE dead_letters DELETE
WHERE topic = {topic:String} AND _partition = {partition:UInt32}
    AND (_offset, element) IN {places:Array(Tuple(UInt64, UInt32))}
"""
_SYNCHRONOUS = {"mutations_sync": 2}
"""A deletion returns when every part has been rewritten, on every replica."""
_NAME = re.compile(r"[A-Za-z0-9_]+").fullmatch
_TOGETHER = 100
DEAD_LETTERS = "dead_letters"

Rows = dict[str, dict[str, int]]
"""How many rows were removed, by person (its digest) and table."""


@dataclass(frozen=True, slots=True)
class Erased:
    """A person as ClickHouse knows it: digest, join key, and the time of erasure."""

    unit_type: str
    person: str
    key: int
    erased_at: datetime


@dataclass(frozen=True, slots=True)
class Table:
    """A table with people in one of its columns.

    received: what says when a row was received, empty where nothing does. axis: whether a row is of the day on which
    something happened (event) or of a unit's first exposure (exposure), empty where of none. links: whether a row names
    two ids of one person.
    """

    name: str
    column: str
    typed: bool
    received: str
    axis: str
    links: bool

    @property
    def unit_type(self) -> str:
        """A table without the column holds units of every type."""
        return "unit_type" if self.typed else "{unit_type:String}"

    @property
    def matches(self) -> str:
        return _MATCHES.format(unit_type=self.unit_type, column=self.column)

    @property
    def _until(self) -> str:
        return _ERASED_UNTIL.format(unit_type=self.unit_type, column=self.column)

    @property
    def before(self) -> str:
        """The condition for rows received before their person's erasure."""
        return f"{self.matches} AND {self.received} <= {self._until}"

    @property
    def after(self) -> str:
        return f"{self.matches} AND {self.received} > {self._until}"


@dataclass(slots=True)
class Warehouse:
    """One look at ClickHouse. Its calls block, and raise ClickHouseError and OSError."""

    client: Client

    def arrived(self, persons: Mapping[bytes, str]) -> dict[bytes, Erased]:
        """Of these digests, each with its unit type, those that the stream has brought as erased."""
        digests = [person.hex().upper() for person in persons]
        found: dict[bytes, Erased] = {}
        for start in range(0, len(digests), _TOGETHER):
            wanted = {"persons": digests[start : start + _TOGETHER]}
            for digest, key, erased_at in self.client.query(_ARRIVED, parameters=wanted).result_rows:
                person = bytes.fromhex(digest)
                found[person] = Erased(persons[person], digest, int(key), _utc(erased_at))
        return found

    def sweep(self, erased: Sequence[Erased]) -> Rows:
        """Delete what these sent before their erasure; how many rows of whom by table. Afterwards none is left.

        What the models made of it goes with it: such rows carry no time of their own, so they stay where the person
        has come back and nothing old was found.
        """
        removed: Rows = {}
        for group in _groups(erased):
            tables = self._tables()
            raw = [table for table in tables if table.received]
            for table in raw:
                _add(removed, table.name, self._delete(table, table.before, group, tables))
            returned = self._returned(raw, group) - removed.keys()
            derived = [one for one in group if one.person not in returned]
            if not derived:
                continue
            self._delete_lone_segments(tables, derived)
            for table in tables:
                if not table.received:
                    _add(removed, table.name, self._delete(table, table.matches, derived, tables))
        return removed

    def remaining(self, erased: Sequence[Erased]) -> set[str]:
        """Of these, those of whom rows from before the erasure are still there."""
        return {
            person
            for group in _groups(erased)
            for table in self._tables()
            if table.received
            for person in self._count(table, table.before, group)
        }

    def delete_letters(self, person: Person) -> int:
        """Delete the unreadable messages that name the person; how many."""
        rows = self.client.query(_LETTERS, parameters={"pattern": _naming(person)}).result_rows
        ordered = sorted((str(topic), int(part), int(at), int(element)) for topic, part, at, element in rows)
        for (topic, partition), places in groupby(ordered, key=lambda row: row[:2]):
            found = [(offset, element) for _, _, offset, element in places]
            named = {"topic": topic, "partition": partition, "places": found}
            execute(self.client, _DELETE_LETTERS, named, _SYNCHRONOUS)
        return len(ordered)

    def forget(self, closed: Mapping[bytes, datetime]) -> None:
        """Take these erasures, by digest and time, off the list of the erased: nothing can bring them back."""
        if closed:
            parameters = {
                "persons": [person.hex().upper() for person in closed],
                "instants": [microseconds(erased_at) for erased_at in closed.values()],
            }
            execute(self.client, _FORGET, parameters, _SYNCHRONOUS)

    def _tables(self) -> list[Table]:
        rows = self.client.query(_TABLES).result_rows
        return [
            Table(name, column, bool(typed), received or "", axis, bool(links))
            for name, column, typed, received, axis, links in rows
            if _NAME(name)
        ]

    def _delete(
        self, table: Table, condition: str, erased: Sequence[Erased], tables: Sequence[Table]
    ) -> dict[str, int]:
        rows = self._count(table, condition, erased)
        if rows:
            self._note_days(table, condition, erased)
            if table.links:
                linked = _LINKED.format(table=table.name, condition=condition)
                for other in tables:
                    if other.typed and other.column == "user_id":
                        self._note_days(other, linked, erased)
            statement = _DELETE.format(table=table.name, condition=condition)
            execute(self.client, statement, _parameters(erased), _SYNCHRONOUS)
        return rows

    def _note_days(self, table: Table, condition: str, erased: Sequence[Erased]) -> None:
        if table.axis:
            statement = _NOTE_DAYS.format(
                axis=table.axis, day=_DAYS[table.axis], table=table.name, condition=condition
            )
            execute(self.client, statement, _parameters(erased), {"final": 0})

    def _delete_lone_segments(self, tables: Sequence[Table], erased: Sequence[Erased]) -> None:
        """Of the days on which these were first exposed; before the rows that tell the days go."""
        days = {
            day
            for table in tables
            if table.axis == "exposure"
            for (day,) in self.client.query(
                _FIRST_DAYS.format(table=table.name, condition=table.matches),
                parameters=_parameters(erased),
                settings={"final": 0},
            ).result_rows
        }
        if days:
            for (name,) in self.client.query(_SEGMENTED).result_rows:
                if _NAME(name):
                    statement = _DELETE_LONE.format(table=name)
                    execute(self.client, statement, {"days": sorted(days)}, _SYNCHRONOUS)

    def _count(self, table: Table, condition: str, erased: Sequence[Erased]) -> dict[str, int]:
        """Rows by person. Copies count: a deletion removes them too."""
        statement = _COUNT.format(
            unit_type=table.unit_type, column=table.column, table=table.name, condition=condition
        )
        result = self.client.query(statement, parameters=_parameters(erased), settings={"final": 0})
        return {str(person): int(count) for person, count in result.result_rows}

    def _returned(self, tables: Sequence[Table], erased: Sequence[Erased]) -> set[str]:
        """Of these, who sent something after the erasure."""
        found: set[str] = set()
        for table in tables:
            statement = _RETURNED.format(
                unit_type=table.unit_type, column=table.column, table=table.name, condition=table.after
            )
            rows = self.client.query(statement, parameters=_parameters(erased)).result_rows
            found.update(str(person) for (person,) in rows)
        return found


def open_warehouse(settings: ClickHouseSettings) -> Iterator[Warehouse]:
    """For use with `contextmanager`."""
    with connect(settings) as client:
        yield Warehouse(client)


def _parameters(erased: Sequence[Erased]) -> dict[str, object]:
    return {
        "unit_type": erased[0].unit_type,
        "keys": [one.key for one in erased],
        "persons": [one.person for one in erased],
        "instants": [microseconds(one.erased_at) for one in erased],
    }


def _groups(erased: Sequence[Erased]) -> Iterator[Sequence[Erased]]:
    """Of one unit type, and no more than a request's address holds."""
    ordered = sorted(erased, key=lambda one: one.unit_type)
    for _, group in groupby(ordered, key=lambda one: one.unit_type):
        same = list(group)
        yield from (same[start : start + _TOGETHER] for start in range(0, len(same), _TOGETHER))


def _add(removed: Rows, table: str, found: Mapping[str, int]) -> None:
    for person, rows in found.items():
        by_table = removed.setdefault(person, {})
        by_table[table] = by_table.get(table, 0) + rows


def _naming(person: Person) -> str:
    """Matches JSON, also JSON within JSON, that names the person."""
    texts = {json.dumps(person.user_id)[1:-1], json.dumps(person.user_id, ensure_ascii=False)[1:-1]}
    texts |= {json.dumps(text)[1:-1] for text in texts}
    choices = "|".join(sorted(re.escape(text) for text in texts))
    return rf'\\*"(?:user|anonymous)_id\\*"\s*:\s*\\*"(?:{choices})\\*"'


def _utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
