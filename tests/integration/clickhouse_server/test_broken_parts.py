"""What a disk has damaged is set aside, at the start or while ClickHouse runs, and noted once for a repair."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from neonblue.settings import ClickHouseSettings, Settings
from neonblue.stack.services import broken_parts
from neonblue.stack.services.broken_parts import UNREADABLE, BrokenParts
from neonblue.stack.services.stream_memory import StreamMemory
from tests.integration.clickhouse_server.conftest import ADMIN, Server

TABLE = "events_processed"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """With two rows in two parts of one of the topic's tables; a table of somebody's own has one."""
    server = Server(tmp_path / "data")
    server.start()
    for table in (*broken_parts.TABLES, "somebodys"):
        server.post(f"CREATE TABLE {table} (n UInt64) ENGINE = MergeTree ORDER BY n")
    for row in (f"{TABLE} VALUES (1)", f"{TABLE} VALUES (2)", "somebodys VALUES (1)"):
        server.post(f"INSERT INTO {row}")
    yield server
    server.stop()


@pytest.fixture
def settings(own: Server, tmp_path: Path) -> Settings:
    folder = tmp_path / "stack"
    folder.mkdir()
    clickhouse = ClickHouseSettings(url=own.address, user=ADMIN[0], password=SecretStr(ADMIN[1]))
    return Settings(data_dir=folder, clickhouse=clickhouse)


def first_part(server: Server, table: str) -> Path:
    paths = server.post(
        f"SELECT path FROM system.parts WHERE table = '{table}' AND active ORDER BY name"
    ).text
    return Path(paths.split()[0])


def damage(part: Path) -> None:
    for file in part.iterdir():
        file.write_bytes(b"")


def noted(memory: StreamMemory) -> list[str]:
    return [reason.rpartition(", noted at ")[0] for reason in memory.read().to_repair]


def test_a_part_that_is_set_aside_at_the_start_is_noted_once(own: Server, settings: Settings) -> None:
    memory = StreamMemory(settings.data_dir)
    watch = BrokenParts(settings, memory)
    watch.look()
    assert noted(memory) == []
    part = first_part(own, TABLE)
    own.stop()
    damage(part)
    own.start()

    assert own.post(f"SELECT n FROM {TABLE}").text == "2\n"
    watch.look()
    assert noted(memory) == [
        f"ClickHouse could not read and has set aside {TABLE}/broken-on-start_{part.name}"
    ]
    memory.repaired(memory.read().to_repair)
    watch.look()
    BrokenParts(settings, memory).look()
    assert noted(memory) == []


def test_a_part_that_queries_fail_at_is_set_aside_while_it_runs(own: Server, settings: Settings) -> None:
    memory = StreamMemory(settings.data_dir)
    watch = BrokenParts(settings, memory)
    part = first_part(own, TABLE)
    damage(part)
    assert own.post(f"SELECT n FROM {TABLE}").status_code != 200

    watch.look()
    assert noted(memory) == [UNREADABLE]
    assert broken_parts.set_aside(settings.clickhouse) == [f"{TABLE}/{part.name}"]

    assert own.post(f"SELECT n FROM {TABLE}").text == "2\n"
    memory.repaired(memory.read().to_repair)
    watch.look()
    assert noted(memory) == []
    assert broken_parts.set_aside(settings.clickhouse) == []


def test_a_table_that_the_topic_does_not_feed_goes_on_failing_loudly(own: Server, settings: Settings) -> None:
    memory = StreamMemory(settings.data_dir)
    damage(first_part(own, "somebodys"))
    assert own.post("SELECT n FROM somebodys").status_code != 200

    BrokenParts(settings, memory).look()

    assert noted(memory) == []
    assert broken_parts.set_aside(settings.clickhouse) == []
    assert own.post("SELECT n FROM somebodys").status_code != 200
