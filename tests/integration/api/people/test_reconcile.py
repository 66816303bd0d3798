"""What came by the topic and was never accepted is named, whatever kind of row it is."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from neonblue.reconciliation import Reconciliation, reconcile
from neonblue.reconciliation.compare import Kind
from tests.integration.api.people.conftest import Place
from tests.integration.api.people.test_erasure import assign, erase, live, new_experiment, send, wait_retained
from tests.integration.warehouse import envelope, event

AT = "2026-01-02T03:04:05.123456Z"
EXPERIMENT = 4_000_000
VARIANT = {"key": "a", "weight": 1}


def forged(kind: Kind) -> bytes:
    known: dict[str, Any] = {"schema_version": 1, "unit_type": "user", "user_id": "victim", "received_at": AT}
    messages: dict[Kind, tuple[str, dict[str, Any]]] = {
        Kind.EVENTS: ("event", event()),
        Kind.ASSIGNMENTS: (
            "assignment",
            known | {"experiment_id": EXPERIMENT, "variant_key": "a", "version": 1, "assigned_at": AT},
        ),
        Kind.EXPERIMENTS: (
            "experiment",
            known
            | {
                "experiment_id": EXPERIMENT,
                "version": 1,
                "key": "forged",
                "status": "running",
                "started_at": AT,
            }
            | {"variants": [VARIANT]},
        ),
        Kind.LINKS: ("user_link", known | {"anonymous_id": "device", "linked_at": AT}),
        Kind.ERASURES: ("user", known | {"erased_at": AT}),
    }
    return envelope(*messages[kind])


TABLES = {
    Kind.EVENTS: "events_processed",
    Kind.ASSIGNMENTS: "assignments",
    Kind.EXPERIMENTS: "experiments",
    Kind.LINKS: "user_links",
    Kind.ERASURES: "erased_users",
}


@pytest.fixture
def busy(place: Place) -> Place:
    """A running experiment, a deleted draft, links, somebody erased: all of it carried to ClickHouse."""
    experiment = new_experiment(place.api)
    draft = {
        "key": f"draft-{uuid4()}",
        "variants": [{**VARIANT, "is_control": True}, {"key": "b", "weight": 1}],
    }
    place.api.post("/v1/experiments", json=draft).raise_for_status()
    place.api.delete(f"/v1/experiments/{draft['key']}").raise_for_status()
    person, anonymous, gone = (f"{name}-{uuid4()}" for name in ("person", "device", "gone"))
    assign(place.api, experiment, anonymous)
    send(place.api, person)
    link = {"anonymous_id": anonymous, "user_id": person}
    place.api.post("/v1/links", json=link).raise_for_status()
    live(place, gone, "nothing", experiment)
    erasure = erase(place.api, gone)
    place.stream.carry()
    wait_retained(place, erasure)
    return place


def counted(result: Reconciliation, kind: Kind) -> tuple[int, int]:
    total = result.rows[kind].total
    return total.missing, total.unexpected


def test_what_was_accepted_and_carried_is_equal(busy: Place) -> None:
    result = reconcile(busy.settings)

    assert result.agree, result
    assert all(comparison.total.present for comparison in result.rows.values())


@pytest.mark.parametrize("kind", Kind)
def test_what_nobody_accepted_is_unexpected_and_named(busy: Place, kind: Kind) -> None:
    busy.clickhouse.insert(
        "raw_events_kafka", [[forged(kind), 10_000_000]], column_names=["message", "_offset"]
    )

    result = reconcile(busy.settings)
    busy.clickhouse.command(
        f"ALTER TABLE {TABLES[kind]} DELETE WHERE _offset = 10000000", settings={"mutations_sync": 2}
    )

    assert not result.agree
    assert [counted(result, one) for one in Kind] == [(0, int(one is kind)) for one in Kind]
    assert len(result.rows[kind].unexpected_ids) == 1
    assert reconcile(busy.settings).agree


@pytest.mark.parametrize("kind", [Kind.EXPERIMENTS, Kind.LINKS, Kind.ERASURES])
def test_what_never_arrived_is_missing_and_named(busy: Place, kind: Kind) -> None:
    busy.clickhouse.command(f"TRUNCATE TABLE {TABLES[kind]}")

    result = reconcile(busy.settings)
    busy.stream.replay()

    missing, unexpected = counted(result, kind)
    assert missing > 0
    assert unexpected == 0
    assert len(result.rows[kind].missing_ids) == missing
    assert reconcile(busy.settings).agree
