"""What ClickHouse is asked, and told, beside the stream."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from neonblue.clickhouse.client import execute
from neonblue.contract.instants import microseconds

_ASSIGNED = """
SELECT DISTINCT experiment_id, unit_type, user_id FROM assignments
WHERE (experiment_id, unit_type, user_id) IN (
    SELECT arrayJoin(arrayZip({experiments:Array(UInt32)}, {types:Array(String)}, {users:Array(String)}))
)
"""
_ERASED = "SELECT unit_type, hex(person), toUnixTimestamp64Micro(erased_at) FROM erased_users"
_RESTORE = """
INSERT INTO erased_users (unit_type, person, person_key, erased_at, received_at, ingested_at)
SELECT one.1, unhex(one.2), one.3, fromUnixTimestamp64Micro(one.4, 'UTC'), fromUnixTimestamp64Micro(one.4, 'UTC'),
    now64(3, 'UTC')
FROM (
    SELECT arrayJoin(
        arrayZip({types:Array(String)}, {persons:Array(String)}, {keys:Array(UInt64)}, {times:Array(Int64)})
    ) AS one
)
"""
_WITHDRAW = """
ALTER TABLE erased_users DELETE WHERE (unit_type, hex(person), toUnixTimestamp64Micro(erased_at)) IN (
    SELECT arrayJoin(arrayZip({types:Array(String)}, {persons:Array(String)}, {times:Array(Int64)}))
)
"""
_ROWS = 1_000
Unit = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class ErasedPerson:
    """An erasure whose person is known by hashes alone: the stream brought it once, and the id is gone since."""

    unit_type: str
    person: bytes
    key: int
    erased_at: datetime

    @property
    def name(self) -> tuple[str, str, int]:
        """As `erased` has it."""
        return self.unit_type, self.person.hex().upper(), microseconds(self.erased_at)


def assigned(client: Client, units: Collection[Unit]) -> set[Unit]:
    """Of these units, those that have an assignment there."""
    if not units:
        return set()
    experiments, types, users = zip(*units, strict=True)
    parameters: dict[str, object] = {
        "experiments": list(experiments),
        "types": list(types),
        "users": list(users),
    }
    return {(int(one), str(kind), str(user)) for one, kind, user in _rows(client, _ASSIGNED, parameters)}


def erased(client: Client) -> set[tuple[str, str, int]]:
    """Every erasure that is there: unit type, the person's digest in hexadecimal, microseconds since 1970."""
    return {(str(kind), str(person), int(at)) for kind, person, at in _rows(client, _ERASED, {})}


def restore(client: Client, persons: Iterable[ErasedPerson]) -> int:
    """Put these on the list of the erased: no message can name them any more. Returns how many."""
    everybody = list(persons)
    for start in range(0, len(everybody), _ROWS):
        some = everybody[start : start + _ROWS]
        parameters: dict[str, object] = {
            "types": [one.unit_type for one in some],
            "persons": [one.person.hex() for one in some],
            "keys": [one.key for one in some],
            "times": [microseconds(one.erased_at) for one in some],
        }
        execute(client, _RESTORE, parameters)
    return len(everybody)


def withdraw(client: Client, persons: Sequence[ErasedPerson]) -> None:
    """Take these off the list again."""
    for start in range(0, len(persons), _ROWS):
        types, names, times = zip(*(one.name for one in persons[start : start + _ROWS]), strict=True)
        parameters: dict[str, object] = {"types": list(types), "persons": list(names), "times": list(times)}
        execute(client, _WITHDRAW, parameters, {"mutations_sync": 2})


def _rows(client: Client, query: str, parameters: dict[str, object]) -> Sequence[Sequence[Any]]:
    rows: Sequence[Sequence[Any]] = client.query(query, parameters=parameters).result_rows
    return rows
