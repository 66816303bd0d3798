"""What ClickHouse tells of the pipeline: small questions, each of a few milliseconds and with an end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from api.http.problems import Problem
from api.pipeline_state.looking import Unreadable
from api.results.repository import ResultsReader

T = TypeVar("T")

KINDS = 50
"""Errors of dead letters that are told apart on a page, those of most letters first."""
LETTERS = 5
"""Letters of one error that are shown, the newest first."""
CONTENT = 4_000
"""Characters that are shown of a letter."""
_REFUSED = {
    60: "ClickHouse has no such table yet: the stack makes it at its start, or the first build does.",
    81: "ClickHouse has no such database yet.",
    159: "ClickHouse took too long over it.",
    497: "The user as whom the API asks ClickHouse may not read this.",
}
_LIMITS = {"max_execution_time": 2, "max_threads": 1}

_CANARY = """
SELECT toUnixTimestamp64Micro(beat_at), toUnixTimestamp64Milli(ingested_at) FROM canaries ORDER BY beat_at DESC LIMIT 1
"""
_LIVE = """
SELECT view, toUnixTimestamp(last_success_time), exception != ''
FROM system.view_refreshes WHERE database = concat(currentDatabase(), '_live') ORDER BY view
"""
_BUILT = """
SELECT model, toUnixTimestamp64Milli(max(built_at)) FROM partition_builds GROUP BY model ORDER BY model
"""
# With final the content of each letter would be read. One that is not merged yet counts twice until then.
_KINDS = """
SELECT error, count() AS number, toUnixTimestamp64Milli(min(ingested_at)), toUnixTimestamp64Milli(max(ingested_at))
FROM dead_letters GROUP BY error ORDER BY number DESC, error LIMIT {limit:UInt32}
SETTINGS final = 0
"""
# By their places, which are the key: the content of no other letter is read.
_LETTERS = """
SELECT
    topic, _partition, _offset, element, toUnixTimestamp64Milli(ingested_at),
    substringUTF8(message, 1, {most:UInt32}), lengthUTF8(message) > {most:UInt32}
FROM dead_letters
WHERE (topic, _partition, _offset, element) IN (
    SELECT topic, _partition, _offset, element FROM dead_letters WHERE error = {error:String}
    ORDER BY ingested_at DESC LIMIT {limit:UInt32}
) AND error = {error:String}
ORDER BY ingested_at DESC, _offset DESC LIMIT {limit:UInt32}
SETTINGS final = 0
"""


@dataclass(frozen=True, slots=True)
class Canary:
    """The newest heartbeat of the stream that arrived: when it was committed in PostgreSQL, when it was here."""

    sent: datetime
    arrived: datetime


@dataclass(frozen=True, slots=True)
class LiveTable:
    """A table that ClickHouse refreshes by itself. refreshed: None: never."""

    name: str
    refreshed: datetime | None
    is_failing: bool


@dataclass(frozen=True, slots=True)
class Built:
    """A model, and when a day of it was built last: it is built where something arrived."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Kind:
    """Dead letters of one error: how many, the first and the last."""

    error: str
    number: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter: its place in the topic, its content. element: the place in a batch, 0: the whole message.

    is_cut: whether it is longer than what is shown.
    """

    topic: str
    partition: int
    offset: int
    element: int
    at: datetime
    content: str
    is_cut: bool


async def asked(reader: ResultsReader, question: Callable[[Client], T]) -> T:
    """What ClickHouse answers. Raises Unreadable with the reason."""

    def ask(client: Client) -> T:
        try:
            return question(client)
        except DatabaseError as error:
            told = _REFUSED.get(error.code or 0)
            if told is None:
                raise
            raise Unreadable(told) from None

    try:
        return await reader.read(ask)
    except Problem:
        raise Unreadable(
            "ClickHouse does not answer: nothing is lost, what comes waits in the topic."
        ) from None


def read_canary(client: Client) -> Canary | None:
    """None: no heartbeat arrived within a day."""
    rows = client.query(_CANARY, settings=_LIMITS).result_rows
    return Canary(_moment(rows[0][0] / 1e6), _moment(rows[0][1] / 1e3)) if rows else None


def read_live(client: Client) -> tuple[LiveTable, ...]:
    """By name."""
    return tuple(
        LiveTable(str(name), None if not seconds else _moment(seconds), bool(failing))
        for name, seconds, failing in _rows(client, _LIVE)
    )


def read_built(client: Client) -> tuple[Built, ...]:
    """By name."""
    return tuple(Built(str(name), _moment(at / 1e3)) for name, at in _rows(client, _BUILT))


def read_kinds(client: Client) -> tuple[Kind, ...]:
    """At most `KINDS`."""
    return tuple(
        Kind(str(error), int(number), _moment(first / 1e3), _moment(last / 1e3))
        for error, number, first, last in _rows(client, _KINDS, limit=KINDS)
    )


def read_letters(client: Client, error: str) -> tuple[Letter, ...]:
    """The newest of this error."""
    return tuple(
        Letter(str(topic), int(number), int(offset), int(element), _moment(at / 1e3), str(text), bool(is_cut))
        for topic, number, offset, element, at, text, is_cut in _rows(
            client, _LETTERS, error=error, limit=LETTERS, most=CONTENT
        )
    )


def _rows(client: Client, query: str, **parameters: Any) -> list[Any]:
    return list(client.query(query, parameters=parameters, settings=_LIMITS).result_rows)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
