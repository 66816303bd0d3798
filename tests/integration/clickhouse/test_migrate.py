"""The numbered files on a real server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from neonblue.clickhouse import migrations as clickhouse_migrations
from neonblue.clickhouse.migrations import MigrationError, migrate
from neonblue.files import Folder, folder
from neonblue.settings import Settings
from neonblue.stack.services.broken_parts import ONLY_WATCHED
from neonblue.stack.services.clickhouse import ClickHouseSchema
from neonblue.stack.services.stream_memory import StreamMemory
from tests.integration.warehouse import TOPIC_STAND_IN, Topic, connect, envelope, event, rows, running


@pytest.fixture
def empty_server(tmp_path: Path) -> Iterator[Settings]:
    with running(tmp_path) as settings:
        yield settings


def test_a_second_run_plans_nothing_and_a_changed_file_is_refused(
    empty_server: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted(path.name for path in folder(Folder.CLICKHOUSE).glob("*.sql"))
    assert migrate(empty_server) == names
    assert migrate(empty_server) == []
    with connect(empty_server) as client:
        engines = dict(
            rows(client, "SELECT name, engine FROM system.tables WHERE database = currentDatabase()")
        )
    assert engines["raw_events_kafka"] == "Kafka"
    assert engines["events_kafka_mv"] == "MaterializedView"
    assert engines["events_processed"] == "ReplacingMergeTree"

    changed = tmp_path / "changed"
    shutil.copytree(folder(Folder.CLICKHOUSE), changed)
    with (changed / names[0]).open("a") as file:
        file.write("-- an afterthought\n")
    monkeypatch.setattr(clickhouse_migrations, "folder", lambda _: changed)
    with pytest.raises(MigrationError, match=names[0]):
        migrate(empty_server)


def test_any_table_or_view_that_was_dropped_is_made_again_and_fed_again(empty_server: Settings) -> None:
    migrations = clickhouse_migrations.read_migrations(folder(Folder.CLICKHOUSE))
    names = clickhouse_migrations.missing(migrations, [])
    with connect(empty_server) as client:
        client.command(TOPIC_STAND_IN)
        migrate(empty_server)
        before = described(client)
        topic = Topic(client)
        for name in names:
            client.command(f"DROP TABLE {name}")
            if name == "raw_events_kafka":
                client.command(TOPIC_STAND_IN)
            assert migrate(empty_server) == []

            sent = event()
            topic.send(envelope("event_batch", [sent]))
            arrived = rows(client, f"SELECT count() FROM events_processed WHERE event_id = '{sent['id']}'")
            assert arrived == [(1,)], name
        assert described(client) == before
    assert set(names) == {name for name, *_ in before} - {"schema_migrations"} | {"raw_events_kafka"}


def described(client: Client) -> set[tuple[object, ...]]:
    """Every table and view but the topic's, with how it is made and its comment."""
    return set(
        rows(
            client,
            "SELECT name, create_table_query, comment FROM system.tables WHERE database = currentDatabase()"
            " AND name != 'raw_events_kafka'",
        )
    )


def test_what_was_lost_is_noted_before_it_is_made_again(empty_server: Settings, tmp_path: Path) -> None:
    settings = empty_server

    def noted() -> list[str]:
        ClickHouseSchema(settings).run()
        memory = StreamMemory(tmp_path)
        reasons = memory.read().to_repair
        memory.repaired(reasons)
        return list(reasons)

    assert noted() == []
    assert noted() == []
    with connect(settings) as client:
        for name in reversed(ONLY_WATCHED):
            client.command(f"DROP TABLE {name}")
    assert noted() == []
    with connect(settings) as client:
        client.command("DROP TABLE user_links_mv")
        client.command("DROP TABLE user_links")
    lacked = noted()
    assert len(lacked) == 1
    assert "user_links, user_links_mv" in lacked[0]
    assert noted() == []
    (tmp_path / "another").mkdir()
    with running(tmp_path / "another") as another:
        settings = settings.model_copy(update={"clickhouse": another.clickhouse})
        assert ["not those that were there before" in reason for reason in noted()] == [True]
        assert noted() == []
