"""Old days of the outbox go when the stream has confirmed them, and never before."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from api.postgres.database import Pool
from api.postgres.outbox_release import OutboxRelease
from tests.integration.api.conftest import Server, wait_until
from tests.integration.api.test_durability import query

SLOT = "release_test"
RETENTION_DAYS = 7
OLD = "outbox_of_an_old_day"


def run(work: Callable[[OutboxRelease], Awaitable[bool]], server: Server) -> bool:
    async def within() -> bool:
        pool = Pool(server.dsn, 2)
        try:
            return await work(OutboxRelease(pool, SLOT, RETENTION_DAYS))
        finally:
            await pool.close()

    return asyncio.run(within())


def release(server: Server, patience: float = 1.0) -> bool:
    return run(lambda outbox: outbox.release(patience), server)


def reasons(server: Server, patience: float = 1.0) -> list[str]:
    """Why the outbox was kept; [] where it was not."""
    with capture_logs() as lines:
        release(server, patience)
    return [str(line["reason"]) for line in lines if line["event"] == "outbox_kept"]


@pytest.fixture
def outbox(postgres: Server) -> Iterator[Server]:
    """An outbox with rows of nine days ago."""
    day = datetime.now(UTC).date() - timedelta(days=9)
    query(
        postgres,
        f"CREATE TABLE {OLD} PARTITION OF outbox_events FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')",
    )
    add(postgres)
    try:
        yield postgres
    finally:
        query(postgres, f"DROP TABLE IF EXISTS {OLD}")
        wait_until(
            lambda: query(
                postgres,
                f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{SLOT}'",
            )
        )


def add(server: Server) -> None:
    query(
        server,
        "INSERT INTO outbox_events (created_at, aggregate_type, aggregate_id, event_type, payload)"
        " VALUES (now() - interval '9 days', 'event', 'a', 'EVENT_CREATED', '{}')",
    )


def kept(server: Server) -> bool:
    return query(server, f"SELECT to_regclass('{OLD}') IS NOT NULL") == [(True,)]


def make_slot(server: Server) -> None:
    query(server, f"SELECT pg_create_logical_replication_slot('{SLOT}', 'pgoutput')")


@contextmanager
def reader(server: Server, folder: Path, *options: str) -> Iterator[None]:
    """A client that follows the slot and confirms what it has received, as Debezium does."""
    program = Path(server.service.command().arguments[0]).with_name("pg_recvlogical")
    command = [
        str(program), f"--dbname={server.dsn}", f"--slot={SLOT}", "--start", "--file=-", "--no-loop",
        "--status-interval=1", "--fsync-interval=1", "--option=proto_version=1",
        "--option=publication_names=neonblue_outbox", *options,
    ]  # fmt: skip
    with (folder / "received").open("wb") as received:
        process = subprocess.Popen(command, stdout=received)
    try:
        wait_until(lambda: _active(server) or _raise())
        yield
    finally:
        process.terminate()
        process.wait(30)


def _active(server: Server) -> bool:
    return query(server, f"SELECT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'") == [(True,)]


def _raise() -> bool:
    raise OSError("nobody reads the slot")


def beat(server: Server, stop: threading.Event) -> None:
    while not stop.wait(0.2):
        query(server, "INSERT INTO heartbeat (beat_at) VALUES (now())")


@contextmanager
def beating(server: Server) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=beat, args=(server, stop))
    thread.start()
    yield
    stop.set()
    thread.join()


def test_without_a_slot_nothing_is_dropped(outbox: Server) -> None:
    assert reasons(outbox) == [f"there is no replication slot {SLOT}"]
    assert kept(outbox)


def test_a_slot_that_nobody_reads_drops_nothing(outbox: Server) -> None:
    make_slot(outbox)
    query(outbox, f"SELECT pg_replication_slot_advance('{SLOT}', pg_current_wal_lsn())")

    assert reasons(outbox) == [f"nobody reads the replication slot {SLOT}"]
    assert kept(outbox)


def test_what_the_reader_has_confirmed_goes(outbox: Server, tmp_path: Path) -> None:
    make_slot(outbox)
    with reader(outbox, tmp_path), beating(outbox):
        assert reasons(outbox, patience=30) == []
    assert not kept(outbox)


def test_a_reader_that_confirms_nothing_drops_nothing(outbox: Server, tmp_path: Path) -> None:
    make_slot(outbox)
    with reader(outbox, tmp_path, "--fsync-interval=0", "--status-interval=0"), beating(outbox):
        (reason,) = reasons(outbox, patience=3)
    assert reason.startswith("the stream has not confirmed ")
    assert kept(outbox)


def test_a_slot_that_is_made_anew_meanwhile_proves_nothing(outbox: Server, tmp_path: Path) -> None:
    make_slot(outbox)

    async def changing(release: OutboxRelease) -> bool:
        waiting = asyncio.create_task(release.release(20))
        await asyncio.sleep(1)
        await asyncio.to_thread(anew)
        return await waiting

    def anew() -> None:
        first.__exit__(None, None, None)
        wait_until(lambda: query(outbox, f"SELECT pg_drop_replication_slot('{SLOT}')"))
        make_slot(outbox)
        second.__enter__()

    first = reader(outbox, tmp_path, "--fsync-interval=0", "--status-interval=0")
    second = reader(outbox, tmp_path)
    first.__enter__()
    try:
        with beating(outbox), capture_logs() as lines:
            assert not run(changing, outbox)
    finally:
        second.__exit__(None, None, None)
    (line,) = [line for line in lines if line["event"] == "outbox_kept"]
    assert "slot" in line["reason"]
    assert kept(outbox)


def test_rows_that_come_while_it_waits_stay(outbox: Server, tmp_path: Path) -> None:
    make_slot(outbox)

    async def adding(release: OutboxRelease) -> bool:
        waiting = asyncio.create_task(release.release(20))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(add, outbox)
        return await waiting

    with reader(outbox, tmp_path), capture_logs() as lines:
        assert not run(adding, outbox)
    assert [line["reason"] for line in lines if line["event"] == "outbox_kept"] == [
        f"rows were added to {OLD}"
    ]
    assert kept(outbox)


def test_a_day_that_is_being_written_stays(outbox: Server, tmp_path: Path) -> None:
    make_slot(outbox)
    with reader(outbox, tmp_path), psycopg.connect(outbox.dsn) as writer:
        writer.execute(
            "INSERT INTO outbox_events (created_at, aggregate_type, aggregate_id, event_type, payload)"
            " VALUES (now() - interval '9 days', 'event', 'a', 'EVENT_CREATED', '{}')"
        )
        assert reasons(outbox) == [f"{OLD} is still being written"]
    assert kept(outbox)


def test_the_reason_is_told_once(outbox: Server) -> None:
    async def twice(release: OutboxRelease) -> bool:
        return await release.release(1) or await release.release(1)

    with capture_logs() as lines:
        assert not run(twice, outbox)
    assert [line["event"] for line in lines].count("outbox_kept") == 1
