"""Publishing again waits for a stream that is behind, and gives up on one that stands still."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from neonblue.republication.pace import Pace, StreamStandsStill
from tests.integration.api.people.conftest import Place

SLOT = "pace_of_this_test"
_WRITE = "SELECT pg_logical_emit_message(true, 'filler', repeat('x', 1000000)) FROM generate_series(1, 4)"


@pytest.fixture
def connection(place: Place) -> Iterator[psycopg.Connection]:
    with psycopg.connect(place.settings.postgres.dsn(), autocommit=True) as opened:
        opened.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (SLOT,))
        try:
            yield opened
        finally:
            opened.execute("SELECT pg_drop_replication_slot(%s)", (SLOT,))


def pace(connection: psycopg.Connection) -> Pace:
    return Pace(connection, SLOT, most_retained=1024**4, most_unread=1024**2, still_seconds=0.5)


def test_it_goes_on_once_the_connector_has_read(connection: psycopg.Connection) -> None:
    seen: list[int] = []

    def read(unread: int) -> None:
        seen.append(unread)
        connection.execute("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", (SLOT,))

    connection.execute(_WRITE)
    pace(connection).wait(read)
    pace(connection).wait(read)

    assert len(seen) == 1
    assert seen[0] > 4_000_000


def test_a_stream_that_reads_nothing_is_told(connection: psycopg.Connection) -> None:
    connection.execute(_WRITE)

    with pytest.raises(StreamStandsStill, match="neonblue status"):
        pace(connection).wait(lambda _: None)


def test_without_a_slot_it_waits_for_one_and_gives_up(place: Place) -> None:
    seen: list[int] = []
    with (
        psycopg.connect(place.settings.postgres.dsn(), autocommit=True) as connection,
        pytest.raises(StreamStandsStill, match=f"no replication slot {SLOT}"),
    ):
        pace(connection).wait(seen.append)

    assert seen


def test_it_goes_on_once_there_is_a_slot(place: Place) -> None:
    with psycopg.connect(place.settings.postgres.dsn(), autocommit=True) as connection:

        def make(_: int) -> None:
            connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (SLOT,))

        pace(connection).wait(make)
        connection.execute("SELECT pg_drop_replication_slot(%s)", (SLOT,))


def test_a_slot_that_is_given_up_counts_as_none(connection: psycopg.Connection) -> None:
    """It stays, and where it was last confirmed also, however much is written behind it."""
    connection.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    connection.execute("SELECT pg_reload_conf()")
    try:
        for _ in range(20):
            connection.execute("SELECT pg_logical_emit_message(false, 'filler', 'x', true), pg_switch_wal()")
            connection.execute("CHECKPOINT")
            state = connection.execute(
                "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", (SLOT,)
            ).fetchone()
            if state == ("lost",):
                break
        assert state == ("lost",)

        with pytest.raises(StreamStandsStill, match="given it up"):
            pace(connection).wait(lambda _: None)
    finally:
        connection.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
        connection.execute("SELECT pg_reload_conf()")
