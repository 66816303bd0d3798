"""The numbered files on a real server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from neonblue.files import Folder, folder
from neonblue.settings import Settings
from neonblue.stack import clickhouse_migrations
from neonblue.stack.clickhouse_migrations import MigrationError, migrate
from tests.integration.warehouse import connect, rows, running


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
