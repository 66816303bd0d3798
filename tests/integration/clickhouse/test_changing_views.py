"""The views that carry events are changed while the stream runs: nothing is lost, nothing twice, nothing set aside."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from neonblue.clickhouse import migrations as clickhouse_migrations
from neonblue.clickhouse.migrations import migrate
from neonblue.contract.instants import format_instant
from neonblue.files import Folder, folder
from neonblue.settings import Settings
from tests.integration.warehouse import TOPIC_STAND_IN, Topic, connect, envelope, event, rows, running

CHANGES = ("0080_app_version.sql", "0081_sent_at.sql")
FIELDS = {"app_version": "5.2.0", "sent_at": "2026-03-01T09:30:00.250000Z", "clock_offset": -3_000_000}
TOLD = ("5.2.0", "2026-03-01 09:30:00.250000", -3_000_000)
SILENT = ("", None, 0)
SAID = "(app_version, toString(sent_at), clock_offset)"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A server as it was before the changes, with the stand-in for the topic."""
    before = tmp_path / "before"
    shutil.copytree(folder(Folder.CLICKHOUSE), before)
    for path in before.glob("*.sql"):
        if path.name >= CHANGES[0]:
            path.unlink()
    with running(tmp_path) as settings:
        with connect(settings) as client:
            client.command(TOPIC_STAND_IN)
        with monkeypatch.context() as patched:
            patched.setattr(clickhouse_migrations, "folder", lambda _: before)
            migrate(settings)
        yield settings


class Stream:
    """Sends messages without a pause, each until it is taken: as a consumer that commits what was written."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent: list[str] = []
        self.refused: list[str] = []

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def wait_for(self, more: int) -> None:
        wanted = len(self.sent) + more
        while len(self.sent) < wanted and self._thread.is_alive():
            self._ended.wait(0.01)

    def _run(self) -> None:
        topic = Topic(self._client)
        while not self._ended.is_set():
            one, telling = event(timestamp=_now()), event(timestamp=_now(), **FIELDS)
            message = envelope("event_batch", [one, telling])
            while True:
                try:
                    topic.send(message)
                    break
                except Exception as error:  # whatever it is, the consumer reads the message again
                    self.refused.append(str(error))
            self.sent += [one["id"], telling["id"]]


def _now() -> str:
    return format_instant(datetime.now(UTC))


def test_every_message_arrives_once_while_fields_are_added(server: Settings) -> None:
    with connect(server) as client, connect(server) as sender:
        with Stream(sender) as stream:
            stream.wait_for(20)
            before = set(stream.sent)
            assert migrate(server)[: len(CHANGES)] == [*CHANGES]
            after = len(stream.sent)
            stream.wait_for(20)

        assert stream.refused == []
        for table in ("events_processed", "recent_events"):
            found = rows(client, f"SELECT toString(event_id), count(), any({SAID}) FROM {table} GROUP BY 1")
            assert sorted(identifier for identifier, _, _ in found) == sorted(stream.sent), table
            assert {number for _, number, _ in found} == {1}
            said = {identifier: told for identifier, _, told in found}
            assert {said[identifier] for identifier in before} == {SILENT}
            last = stream.sent[after + 2 :]
            assert [said[identifier] for identifier in last] == [SILENT, TOLD] * (len(last) // 2)
        assert rows(client, "SELECT count() FROM dead_letters") == [(0,)]


def test_between_any_two_statements_every_message_is_taken(server: Settings) -> None:
    statements = [
        statement
        for migration in clickhouse_migrations.read_migrations(folder(Folder.CLICKHOUSE))
        if migration.name in CHANGES
        for statement in migration.statements({"ON_CLUSTER": "", "REPLICATED": ""})
    ]
    assert len(statements) > 10
    with connect(server) as client:
        topic, early = Topic(client), event(**FIELDS)
        topic.send(envelope("event", early))
        sent = [early["id"]]
        for statement in statements:
            client.command(statement)
            for fields in ({}, dict.fromkeys(FIELDS), FIELDS):
                one = event(**fields)
                topic.send(envelope("event", one))
                sent.append(one["id"])
            found = rows(client, "SELECT toString(event_id) FROM events_processed")
            assert sorted(identifier for (identifier,) in found) == sorted(sent), statement
        said = rows(client, f"SELECT {SAID} FROM events_processed ORDER BY event_id")
        assert (said[0], said[-3:]) == ((SILENT,), [(SILENT,), (SILENT,), (TOLD,)])

        # As when it is published again: a copy takes the place of the row that it repeats.
        topic.send(envelope("event", early))
        again = rows(client, f"SELECT {SAID} FROM events_processed ORDER BY event_id")
        assert again == [(TOLD,), *said[1:]]
