"""The checklist where ClickHouse is away, and what it refuses to start."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.integration.api.conftest import Server
from tests.integration.api.life_cycle import Json, draft, patch, refused, rows, started, step
from tests.integration.api.test_life_cycle import _later

PRIMARY = {"key": "bought", "type": "proportion", "event_type": "purchase", "aggregation": "any"}
GUARDRAIL = PRIMARY | {"key": "refunds", "event_type": "refund", "role": "guardrail", "direction": "decrease"}
NEEDS_CLICKHOUSE = {"metric_events", "planned_size"}


def checklist(api: httpx.Client, key: str) -> Json:
    found: Json = api.get(f"/v1/experiments/{key}/checklist").raise_for_status().json()
    return found


def statuses(found: Json) -> dict[str, str]:
    return {item["code"]: item["status"] for item in found["items"]}


def item_of(found: Json, code: str) -> Json:
    item: Json
    (item,) = (item for item in found["items"] if item["code"] == code)
    return item


@pytest.fixture
def crowd(postgres: Server) -> str:
    """A type of units of which a thousand were seen, from France all of them."""
    unit_type = f"unit-{uuid4()}"
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute(
            "INSERT INTO users (unit_type, external_id, attributes) "
            'SELECT %s, n, \'{"country": "FR"}\' FROM generate_series(1, 1000) AS n',
            (unit_type,),
        )
    return unit_type


def test_what_needs_clickhouse_is_not_known_and_the_rest_is_told(api: httpx.Client) -> None:
    fields: Json = {"metrics": [PRIMARY, GUARDRAIL], "planned_units": 100, "targeting": "attributes.a == 1"}
    made = draft(api, unit_type=f"unit-{uuid4()}", **fields)
    found = checklist(api, made["key"])

    assert (found["experiment_status"], found["status"]) == ("draft", "warning")
    assert statuses(found) == {
        "metrics": "ok",
        "guardrail": "ok",
        "metric_events": "warning",
        "targeting": "warning",
        "asked_for": "warning",
        "entry": "ok",
        "payloads": "ok",
        "planned_size": "warning",
        "shared_units": "ok",
    }
    unknown = {item["code"] for item in found["items"] if item["evidence"].get("known") is False}
    assert unknown == NEEDS_CLICKHOUSE
    assert step(api, made["key"], "start").status_code == 200


def test_nobody_has_a_checklist_of_what_there_is_not(api: httpx.Client) -> None:
    answer = api.get(f"/v1/experiments/{uuid4()}/checklist")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_targeting_that_means_nobody_is_not_started_but_by_force(
    api: httpx.Client, postgres: Server, crowd: str
) -> None:
    made = draft(api, unit_type=crowd, targeting="attributes.country == 'DE'")
    item = item_of(checklist(api, made["key"]), "targeting")
    assert (item["status"], item["evidence"]) == ("blocking", {"units": 1000, "meant": 0, "unanswered": 0})

    answer = step(api, made["key"], "start", {"reason": "let us see"})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["items"]) == (409, "not_ready", [item])
    assert item["headline"] in problem["detail"]
    assert refused(step(api, made["key"], "start", {"force": True})) == {"reason": "missing_field"}
    assert rows(postgres, "SELECT status, version FROM experiments WHERE id = %s", made["id"]) == [
        ("draft", 1)
    ]

    forced = step(api, made["key"], "start", {"force": True, "reason": "Germany comes tomorrow"})
    assert forced.json()["status"] == "running"
    newest = api.get(f"/v1/experiments/{made['key']}/versions").json()["items"][0]
    assert newest["reason"] == "Germany comes tomorrow"
    assert newest["difference"]["forced"] == {"before": None, "after": ["targeting"]}


def test_a_mended_expression_starts(api: httpx.Client, crowd: str) -> None:
    made = draft(api, unit_type=crowd, targeting="attributes.country == 'DE'")
    mended = patch(api, made, {"targeting": "attributes.country in ['DE', 'FR']"})

    assert item_of(checklist(api, made["key"]), "targeting")["evidence"]["meant"] == 1000
    assert step(api, made["key"], "start").json()["status"] == "running"
    newest = api.get(f"/v1/experiments/{made['key']}/versions").json()["items"][0]
    assert "forced" not in newest["difference"]
    assert mended.status_code == 200


def test_a_scheduled_start_that_is_blocked_is_told_and_hinders_no_other(
    api: httpx.Client, postgres: Server, crowd: str
) -> None:
    made = [
        draft(api, unit_type=crowd, targeting=targeting, scheduled_start_at=_later(days=1))
        for targeting in ("attributes.country == 'DE'", "attributes.country == 'FR'")
    ]
    for one in made:
        step(api, one["key"], "schedule").raise_for_status()
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute(
            "UPDATE experiments SET scheduled_start_at = now() WHERE id = ANY(%s)",
            ([one["id"] for one in made],),
        )
    done = {item["key"]: item for item in api.post("/v1/experiments/due").json()["items"]}

    told = done[made[0]["key"]]
    assert (told["step"], told["status"], told["code"]) == ("start", "scheduled", "not_ready")
    assert "targeting means 0 of 1,000" in told["message"]
    assert done[made[1]["key"]]["status"] == "running"
    step(api, made[0]["key"], "unschedule").raise_for_status()


def test_only_a_start_can_be_forced(api: httpx.Client) -> None:
    running = started(api)
    answer = step(api, running["key"], "pause", {"force": True, "reason": "because"})
    assert refused(answer) == {"force": "unknown_field"}


def test_an_equal_salt_is_warned_of_and_a_layer_keeps_units_apart(api: httpx.Client) -> None:
    unit_type, salt, layer = f"unit-{uuid4()}", uuid4().hex, f"layer-{uuid4()}"
    api.post("/v1/layers", json={"key": layer}).raise_for_status()
    free = started(api, unit_type=unit_type, salt=salt)
    started(api, unit_type=unit_type, layer={"key": layer, "share": 5_000})
    inside = draft(api, unit_type=unit_type, layer={"key": layer, "share": 5_000})
    item = item_of(checklist(api, inside["key"]), "shared_units")
    assert (item["status"], item["evidence"]["experiments"]) == ("ok", [free["key"]])

    alike = draft(api, unit_type=unit_type, salt=salt)
    item = item_of(checklist(api, alike["key"]), "shared_units")
    assert (item["status"], item["evidence"]["same_salt"]) == ("warning", [free["key"]])

    ship = {"outcome": "ship", "variant_key": "b", "reason": "better"}
    step(api, free["key"], "conclude", ship).raise_for_status()
    item = item_of(checklist(api, inside["key"]), "shared_units")
    assert (item["evidence"]["experiments"], item["evidence"]["releases"]) == ([], [free["key"]])


def test_the_doctor_works_out_stored_variants_and_counts_those_that_differ_by_kind(
    api: httpx.Client, postgres: Server
) -> None:
    running = started(api, metrics=[PRIMARY])

    def assign(user: str) -> str:
        body: Any = {"experiment": running["key"], "user_id": user}
        return str(api.post("/v1/assignments", json=body).raise_for_status().json()["variant_key"])

    people = [f"{uuid4()}" for _ in range(30)]
    given = {user: assign(user) for user in people}
    anonymous = people[0]
    person = next(user for user in (f"{uuid4()}" for _ in range(99)) if assign(f"{user}") != given[anonymous])
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("DELETE FROM assignments WHERE user_id = %s", (person,))
    link = {"anonymous_id": anonymous, "user_id": person}
    assert api.post("/v1/users/links", json=link).json()["adopted"] == [running["key"]]

    item = item_of(checklist(api, running["key"]), "stored_variants")
    assert (item["status"], item["evidence"]["all"]) == ("ok", True)
    assert item["evidence"]["differing"] == {"link": 1}

    other = "b" if given[people[1]] == "a" else "a"
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("UPDATE assignments SET variant_key = %s WHERE user_id = %s", (other, people[1]))
    found = checklist(api, running["key"])
    item = item_of(found, "stored_variants")
    assert (item["status"], item["evidence"]["differing"]) == ("warning", {"link": 1, "unexplained": 1})
    assert found["experiment_status"] == "running"
    unknown = {item["code"] for item in found["items"] if item["evidence"].get("known") is False}
    assert unknown == {"sample_ratio", "exposures", "several_arms", "clocks", "metric_events", "repeats"}
