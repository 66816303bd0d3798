"""What came by the topic and was never accepted is named, whatever kind of row it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from neonblue.contract.identifiers import uuid7
from neonblue.reconciliation import reconcile, service
from neonblue.reconciliation.accepted import Accepted
from neonblue.reconciliation.compare import Bucket, Digest, Digests, Kind, Span
from neonblue.reconciliation.present import Present
from neonblue.reconciliation.service import span_of_now
from tests.integration.api.people.conftest import Place
from tests.integration.api.people.test_erasure import assign, erase, live, new_experiment, send, wait_retained
from tests.integration.warehouse import envelope, event

PAST, FUTURE = "2026-01-02T03:04:05.123456Z", "2199-01-02T03:04:05.123456Z"
EXPERIMENT = 4_000_000
VARIANT = {"key": "a", "weight": 1}


def forged(kind: Kind, at: str) -> bytes:
    known: dict[str, Any] = {"schema_version": 1, "unit_type": "user", "user_id": "victim", "received_at": at}
    messages: dict[Kind, tuple[str, dict[str, Any]]] = {
        Kind.EVENTS: ("event", event(id=uuid7(), received_at=at)),
        Kind.ASSIGNMENTS: (
            "assignment",
            known | {"experiment_id": EXPERIMENT, "variant_key": "a", "version": 1, "assigned_at": at},
        ),
        Kind.EXPERIMENTS: (
            "experiment",
            known
            | {
                "experiment_id": EXPERIMENT,
                "version": 1,
                "key": "forged",
                "status": "running",
                "started_at": at,
            }
            | {"variants": [VARIANT]},
        ),
        Kind.LINKS: ("user_link", known | {"anonymous_id": "device", "linked_at": at}),
        Kind.ERASURES: ("user", known | {"erased_at": at}),
    }
    return envelope(*messages[kind])


TABLES = {
    Kind.EVENTS: "events_processed",
    Kind.ASSIGNMENTS: "assignments",
    Kind.EXPERIMENTS: "experiments",
    Kind.LINKS: "user_links",
    Kind.ERASURES: "erased_users",
}


Counts = dict[Kind, tuple[int, int]]
"""Rows missing and unexpected. Other tests on these stores may have left some."""


def differences(place: Place) -> Counts:
    totals = {kind: rows.total for kind, rows in reconcile(place.settings).rows.items()}
    return {kind: (total.missing, total.unexpected) for kind, total in totals.items()}


@pytest.fixture
def busy(place: Place) -> Place:
    """A running experiment, a deleted draft, a link, somebody erased: all of it carried to ClickHouse."""
    place.stream.carry()
    experiment = new_experiment(place.api)
    variants = [{**VARIANT, "is_control": True}, {"key": "b", "weight": 1}]
    draft = {"key": f"draft-{uuid4()}", "variants": variants}
    place.api.post("/v1/experiments", json=draft).raise_for_status()
    place.api.delete(f"/v1/experiments/{draft['key']}").raise_for_status()
    person, anonymous, gone = (f"{name}-{uuid4()}" for name in ("person", "device", "gone"))
    assign(place.api, experiment, anonymous)
    send(place.api, person)
    link = {"anonymous_id": anonymous, "user_id": person}
    place.api.post("/v1/users/links", json=link).raise_for_status()
    live(place, gone, "nothing", experiment)
    erasure = erase(place.api, gone)
    place.stream.carry()
    wait_retained(place, erasure)
    return place


def test_what_was_accepted_and_carried_is_equal(place: Place, request: pytest.FixtureRequest) -> None:
    place.stream.carry()
    before = reconcile(place.settings)
    differing = differences(place)

    request.getfixturevalue("busy")

    after = reconcile(place.settings)
    assert differences(place) == differing
    for kind in Kind:
        assert after.rows[kind].total.present > before.rows[kind].total.present


def test_an_event_that_a_corrected_clock_moved_to_another_day_is_equal(place: Place) -> None:
    """An id that holds no time: PostgreSQL's day is that of the time as it was said."""
    place.stream.carry()
    before = differences(place)
    wrong = datetime.now(UTC) - timedelta(hours=23)

    stored = place.api.post(
        "/v1/events",
        json={"id": str(uuid4()), "user_id": "u", "event_type": "purchase", "timestamp": wrong.isoformat()},
        headers={"Sent-At": wrong.isoformat()},
    ).json()
    place.stream.carry()

    assert stored["accepted"] == 1
    assert differences(place) == before


@pytest.mark.parametrize("at", [PAST, FUTURE])
@pytest.mark.parametrize("kind", Kind)
def test_what_nobody_accepted_is_unexpected_and_named(busy: Place, kind: Kind, at: str) -> None:
    before, known = differences(busy), reconcile(busy.settings).rows[kind].unexpected_ids

    busy.clickhouse.insert(
        "raw_events_kafka", [[forged(kind, at), 10_000_000]], column_names=["message", "_offset"]
    )

    after, result = differences(busy), reconcile(busy.settings)
    busy.clickhouse.command(
        f"ALTER TABLE {TABLES[kind]} DELETE WHERE _offset = 10000000", settings={"mutations_sync": 2}
    )
    missing, unexpected = before[kind]
    assert after == before | {kind: (missing, unexpected + 1)}
    assert len(set(result.rows[kind].unexpected_ids) - set(known)) == 1
    assert not result.agree
    assert differences(busy) == before


@pytest.mark.parametrize("kind", [Kind.EXPERIMENTS, Kind.LINKS, Kind.ERASURES])
def test_what_never_arrived_is_missing_and_named(busy: Place, kind: Kind) -> None:
    before, table = differences(busy), TABLES[kind]
    busy.clickhouse.command(f"CREATE TABLE kept AS {table}")
    busy.clickhouse.command(f"INSERT INTO kept SELECT * FROM {table}")
    busy.clickhouse.command(f"TRUNCATE TABLE {table}")

    result = reconcile(busy.settings).rows[kind]
    busy.clickhouse.command(f"INSERT INTO {table} SELECT * FROM kept")
    busy.clickhouse.command("DROP TABLE kept")

    assert result.total.missing > before[kind][0]
    assert len(result.missing_ids) == result.total.missing
    assert differences(busy) == before


Read = dict[Kind, tuple[Digests, Digests]]


def stored(place: Place, span: Span) -> Read:
    """The digests of both stores."""
    present = Present(place.clickhouse, span)
    with psycopg.connect(place.settings.postgres.dsn()) as connection:
        accepted = Accepted(connection, span)
        return {kind: (accepted.digests(kind), present.digests(kind)) for kind in Kind}


def test_what_is_accepted_meanwhile_does_not_count_wherever_it_is(place: Place) -> None:
    place.stream.carry()
    with psycopg.connect(place.settings.postgres.dsn()) as connection:
        span = span_of_now(connection)
    before = stored(place, span)

    experiment = new_experiment(place.api)
    person = f"person-{uuid4()}"
    assign(place.api, experiment, person)
    send(place.api, person)
    link = {"anonymous_id": f"device-{person}", "user_id": person}
    place.api.post("/v1/users/links", json=link).raise_for_status()

    assert stored(place, span) == before
    place.stream.carry()
    assert stored(place, span) == before


def test_only_what_differs_is_read_again(busy: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends once the rest has come, though nothing else was looked at any more."""
    reads: list[Kind] = []

    class Watched(Present):
        def digests(self, kind: Kind) -> dict[Bucket, Digest]:
            reads.append(kind)
            if reads.count(Kind.ASSIGNMENTS) == 2:
                busy.stream.carry()
            return super().digests(kind)

    monkeypatch.setattr(service, "Present", Watched)
    already = {kind for kind, rows in reconcile(busy.settings).rows.items() if not rows.total.agree}
    reads.clear()
    assign(busy.api, new_experiment(busy.api), f"late-{uuid4()}")

    result = reconcile(busy.settings, wait_seconds=5 if already else 30)

    assert result.rows[Kind.ASSIGNMENTS].total.agree
    assert list(result.rows) == list(Kind)
    again = {kind for kind in Kind if reads.count(kind) > 1}
    assert Kind.ASSIGNMENTS in again
    assert not again & ({Kind.LINKS, Kind.ERASURES} - already)
