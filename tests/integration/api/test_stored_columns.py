"""Every column of an event in PostgreSQL: kept as it was sent, compared where an id is repeated, and told again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest

from api.events.repository import PREPARE, Fate, copy_new, insert_or_compare
from api.postgres.copying import write_outbox
from api.postgres.database import Connection, Pool, begin, connect
from api.postgres.inserting import insert_events, insert_outbox
from api.postgres.partitions import Partitions
from neonblue.contract.columns import listed
from neonblue.contract.events import EVENT_COLUMNS, Event
from neonblue.contract.instants import format_instant
from neonblue.contract.outbox import Aggregate, Happening, OutboxRow
from neonblue.republication.stored import find_events
from tests.integration.api.conftest import Server
from tests.unit.api.test_copying import NASTY, TEXTS
from tests.unit.api.test_copying import event as made

Insert = Callable[[Connection, Sequence[Event], str], Awaitable[object]]
STORABLE = [text for text in NASTY if "\x00" not in text]
ANOTHER: dict[str, Any] = {
    "text": "another",
    "integer": 8,
    "bigint": 8,
    "numeric": "20.000000",
    "timestamptz": "2026-03-01T09:30:00.250001Z",
    "jsonb": msgspec.Raw(b'{"a":2}'),
}


@pytest.fixture(scope="module", autouse=True)
def partitions(postgres: Server) -> None:
    """Those of the outbox's days, and of the events' day."""

    async def make() -> None:
        pool = Pool(postgres.dsn, 1)
        partitions = Partitions(pool, 90)
        await partitions.maintain()
        await partitions.ensure([made().day])
        await pool.close()

    asyncio.run(make())


def event(**fields: Any) -> Event:
    one = made(**fields)
    one.id = str(uuid4())
    return one


def transaction(server: Server, work: Callable[[Connection, str], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        connection = await connect(server.dsn, "test")
        try:
            await connection.execute(PREPARE.encode())
            received_at = await begin(connection)
            found = await work(connection, received_at)
            await connection.execute("COMMIT")
        finally:
            await connection.close()
        return found

    return asyncio.run(run())


def told_again(server: Server, one: Event) -> dict[str, Any]:
    """The event's message, made anew from its row."""
    with psycopg.connect(server.dsn) as connection:
        (rebuilt,) = find_events(connection, date.fromisoformat(one.day), [one.id])
    found: dict[str, Any] = msgspec.json.decode(rebuilt.message.payload)
    return found


@pytest.mark.parametrize("insert", [copy_new, insert_or_compare, insert_events])
@pytest.mark.parametrize("field", TEXTS)
def test_what_a_text_holds_is_stored_as_one_row_and_told_again_as_it_was(
    postgres: Server, insert: Insert, field: str
) -> None:
    events = [event(**{field: text}) for text in STORABLE]
    bare = event(**{column.name: None for column in EVENT_COLUMNS if column.optional})

    async def work(connection: Connection, received_at: str) -> list[bytes]:
        await insert(connection, [*events, bare], received_at)
        return [one.message(received_at) for one in (*events, bare)]

    with psycopg.connect(postgres.dsn) as connection:
        before = connection.execute("SELECT count(*) FROM events").fetchone()
        sent = transaction(postgres, work)
        after = connection.execute("SELECT count(*) FROM events").fetchone()

    assert before is not None
    assert after == (before[0] + len(events) + 1,)
    for one, message in zip((*events, bare), sent, strict=True):
        assert told_again(postgres, one) == msgspec.json.decode(message)


@pytest.mark.parametrize("column", [column for column in EVENT_COLUMNS[2:] if column.name != "clock_offset"])
def test_an_id_is_repeated_where_all_is_the_same_and_reused_where_a_compared_column_is_not(
    postgres: Server, column: Any
) -> None:
    first = event(properties=msgspec.Raw(b'{"a":1}'), experiment_id=7)
    same, other, silent = (msgspec.structs.replace(first) for _ in range(3))
    setattr(other, column.name, ANOTHER[column.sql_type])
    if column.optional:
        setattr(silent, column.name, None)

    async def work(connection: Connection, received_at: str) -> list[Fate]:
        return await insert_or_compare(connection, [first, same, other, silent], received_at)

    different = Fate.REUSED if column.compared else Fate.DUPLICATE
    fates = transaction(postgres, work)
    assert fates == [
        Fate.ACCEPTED,
        Fate.DUPLICATE,
        different,
        different if column.optional else Fate.DUPLICATE,
    ]


@pytest.mark.parametrize(
    ("seconds", "offset", "fate"),
    [(0, None, Fate.DUPLICATE), (0, 0, Fate.DUPLICATE), (3, 3_000_000, Fate.DUPLICATE),
     (-3, -3_000_000, Fate.DUPLICATE), (3, 0, Fate.REUSED), (0, 3_000_000, Fate.REUSED), (3, 3_000_001, Fate.REUSED)],
)  # fmt: skip
def test_an_event_that_was_sent_again_by_another_clock_is_the_same_where_its_client_said_the_same_time(
    postgres: Server, seconds: int, offset: int | None, fate: Fate
) -> None:
    first = event(sent_at="2026-03-01T09:30:01.000000Z", clock_offset=0)
    said = datetime.fromisoformat(first.timestamp) + timedelta(seconds=seconds)
    again = msgspec.structs.replace(
        first, timestamp=format_instant(said), sent_at="2026-03-01T09:31:00.000000Z", clock_offset=offset
    )

    async def work(connection: Connection, received_at: str) -> list[Fate]:
        return await insert_or_compare(connection, [first, again], received_at)

    assert transaction(postgres, work) == [Fate.ACCEPTED, fate]


@pytest.mark.parametrize("write", [write_outbox, insert_outbox])
def test_what_an_id_holds_is_one_row_of_the_outbox(
    postgres: Server, write: Callable[[Connection, list[OutboxRow]], Awaitable[None]]
) -> None:
    marker = str(uuid4())
    rows = [
        OutboxRow(
            Aggregate.USER_LINK, f"{text}{marker}", Happening.USER_LINKED, msgspec.json.encode({"id": text})
        )
        for text in STORABLE
    ]

    async def work(connection: Connection, _: str) -> None:
        await write(connection, rows)

    transaction(postgres, work)
    with psycopg.connect(postgres.dsn) as connection:
        found = connection.execute(
            "SELECT aggregate_id, payload ->> 'id' FROM outbox_events WHERE aggregate_id LIKE %s ORDER BY id",
            (f"%{marker}",),
        ).fetchall()
    assert found == [(f"{text}{marker}", text) for text in STORABLE]


def test_the_table_has_the_contracts_columns(postgres: Server) -> None:
    types = {"timestamptz": "timestamp with time zone"}
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute(f"SELECT {listed(EVENT_COLUMNS)} FROM events LIMIT 0".encode())
        found = connection.execute(
            "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns"
            " WHERE table_name = 'events'"
        ).fetchall()
    wanted = {(c.name, types.get(c.sql_type, c.sql_type), c.optional) for c in EVENT_COLUMNS}
    assert set(found) == wanted | {("received_at", "timestamp with time zone", False)}
