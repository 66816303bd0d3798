"""The pipeline's page with everything it asks: what ClickHouse tells, letters that nobody can read, a replay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import psycopg
import pytest

from api.pipeline_state import warehouse
from api.pipeline_state.warehouse import Built
from tests.integration.api.access.test_pages import FORM, HIDDEN, Browser
from tests.integration.api.fleet import wait_until
from tests.integration.api.people.conftest import Place
from tests.integration.warehouse import envelope

SLOT = "neonblue_outbox"
ENDED = re.compile(r"has ended; ([^<]*)")


@pytest.fixture
def admin(place: Place) -> Iterator[Browser]:
    with httpx.Client(base_url=place.api.base_url, trust_env=False, timeout=30) as client:
        person = Browser(client)
        assert person.log_in(place.settings.api.token.get_secret_value()).status_code == 303
        yield person


@pytest.fixture
def slot(place: Place) -> Iterator[None]:
    """As the connector makes it, which nobody reads."""
    with psycopg.connect(place.settings.postgres.dsn(), autocommit=True) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [SLOT])
        yield
        connection.execute("SELECT pg_drop_replication_slot(%s)", [SLOT])


@pytest.mark.usefixtures("slot")
def test_letters_are_counted_opened_with_an_entry_and_sent_again(place: Place, admin: Browser) -> None:
    place.stream.carry()
    marker = f"person-{uuid4()}"
    event = f'[{{"schema_version": 1, "id": "no id", "user_id": "{marker}"}}]'
    message = envelope("event_batch", event, event_type="EVENTS_CREATED")
    place.clickhouse.insert("raw_events_kafka", [[message, 1]], column_names=["message", "_offset"])
    error = place.clickhouse.query(
        "SELECT error FROM dead_letters WHERE position(message, %(m)s) > 0", {"m": marker}
    )
    told = str(error.result_rows[0][0])

    page = admin.open("/pipeline").text
    wait_until(lambda: told in admin.open("/pipeline").text, "what was seen is looked at anew")
    assert marker not in page
    assert "ClickHouse does not answer" not in page

    opened = admin.client.get("/pipeline/letters", params={"error": told}, headers={"accept": "text/html"})
    assert opened.status_code == 200
    assert marker in opened.text
    entries = place.api.get("/v1/audit", params={"object_type": "dead_letters"}).json()["items"]
    assert (entries[0]["action"], entries[0]["object_id"]) == ("read", told)
    other = admin.client.get("/pipeline/letters", params={"error": "' OR 1"}, headers={"accept": "text/html"})
    assert "No dead letter has this error any more" in other.text

    wait_until(lambda: "no slot" not in admin.open("/pipeline").text, "the slot is seen")
    form = next(dict(HIDDEN.findall(inner)) for path, inner in FORM.findall(opened.text) if "/replay" in path)
    assert admin.post("/pipeline/replay", form).status_code == 303

    def has_ended() -> bool:
        place.stream.carry()  # what other tests took away goes down the stream too
        return bool(ENDED.search(admin.open("/pipeline").text))

    wait_until(has_ended, "the replay ends")
    found = ENDED.search(admin.open("/pipeline").text)
    assert found is not None
    assert "dead letter" in found[1]
    entries = place.api.get("/v1/audit", params={"object_type": "stream"}).json()["items"]
    assert "replay" in {entry["action"] for entry in entries}


@pytest.fixture
def models(place: Place) -> Iterator[None]:
    """As dbt makes what it says of its builds, and a table that is refreshed."""
    database = place.settings.clickhouse.database
    for statement in (
        "CREATE TABLE partition_builds (model LowCardinality(String), day Date, scanned_at DateTime64(3, 'UTC'), "
        "built_at DateTime64(3, 'UTC')) ENGINE = ReplacingMergeTree(built_at) ORDER BY (model, day)",
        "INSERT INTO partition_builds VALUES ('funnels', '2026-03-01', '2026-03-02 00:00:00', '2026-03-02 01:00:00'), "
        "('funnels', '2026-03-02', '2026-03-03 00:00:00', '2026-03-03 01:00:00.5')",
        f"CREATE DATABASE {database}_live",
        f"CREATE MATERIALIZED VIEW {database}_live.open_totals REFRESH EVERY 1 HOUR (one UInt8) ENGINE = MergeTree "
        "ORDER BY one AS SELECT 1 AS one",
    ):
        place.clickhouse.command(statement)
    yield
    place.clickhouse.command(f"DROP DATABASE {database}_live")
    place.clickhouse.command("DROP TABLE partition_builds")


@pytest.mark.usefixtures("models")
def test_what_clickhouse_tells_is_read_as_it_is(place: Place) -> None:
    client = place.clickhouse
    assert warehouse.read_built(client) == (Built("funnels", datetime(2026, 3, 3, 1, 0, 0, 500_000, UTC)),)

    wait_until(lambda: warehouse.read_live(client)[0].refreshed is not None, "the table is refreshed")
    (live,) = warehouse.read_live(client)
    assert (live.name, live.is_failing) == ("open_totals", False)
    assert live.refreshed is not None
    assert abs(datetime.now(UTC) - live.refreshed) < timedelta(minutes=5)

    sent, arrived = datetime(2026, 3, 3, 1, 0, 0, 250_000, UTC), datetime(2026, 3, 3, 1, 0, 1, tzinfo=UTC)
    client.insert("canaries", [[sent, datetime.now(UTC)]], column_names=["beat_at", "ingested_at"])
    newest = warehouse.read_canary(client)
    assert newest is not None
    assert newest.sent == sent
    assert newest.arrived > arrived
    client.command("TRUNCATE TABLE canaries")
    assert warehouse.read_canary(client) is None


def test_no_more_letters_are_read_than_are_shown_and_none_longer(place: Place) -> None:
    client, error = place.clickhouse, f"error {uuid4()}"
    columns = ["message", "error", "topic", "_partition", "_offset", "element", "ingested_at"]
    now = datetime.now(UTC)
    rows = [
        [f"{number:02} " + "é" * 5_000, error, "events", 1, number, 0, now + timedelta(seconds=number)]
        for number in range(8)
    ]
    client.insert("dead_letters", rows, column_names=columns)
    letters = warehouse.read_letters(client, error)
    assert [letter.offset for letter in letters] == [7, 6, 5, 4, 3]
    assert {(len(letter.content), letter.is_cut) for letter in letters} == {(warehouse.CONTENT, True)}
    (kind,) = (kind for kind in warehouse.read_kinds(client) if kind.error == error)
    assert (kind.number, (kind.last - kind.first).total_seconds()) == (8, 7)
    assert warehouse.read_letters(client, "nobody's") == ()
    client.command("DELETE FROM dead_letters WHERE error = {error:String}", parameters={"error": error})
