"""The pipeline's page with everything it asks: what ClickHouse tells, letters that nobody can read, a replay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import httpx
import psycopg
import pytest

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
    wait_until(lambda: bool(ENDED.search(admin.open("/pipeline").text)), "the replay ends")
    found = ENDED.search(admin.open("/pipeline").text)
    assert found is not None
    assert "dead letter" in found[1]
    entries = place.api.get("/v1/audit", params={"object_type": "stream"}).json()["items"]
    assert "replay" in {entry["action"] for entry in entries}
