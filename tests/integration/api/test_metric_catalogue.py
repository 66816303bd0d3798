"""The metric catalogue: what is in use keeps its meaning; snapshots carry whole definitions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from api.metric_catalogue import repository
from tests.integration.api.conftest import Server
from tests.integration.api.life_cycle import VARIANTS, Json, audited, draft, messages, patch, refused

REVENUE: Json = {
    "type": "mean", "event_type": "purchase", "aggregation": "sum", "window_seconds": 86_400, "cap": "500",
    "minimum_effect": "0.02",
}  # fmt: skip


def _metric(api: httpx.Client, **fields: Any) -> str:
    key = f"m-{uuid4()}"
    answer = api.post("/v1/metrics", json={"key": key} | REVENUE | fields)
    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"] == '"1"'
    return key


def _change(api: httpx.Client, key: str, body: Json, tag: str = "*") -> httpx.Response:
    return api.patch(f"/v1/metrics/{key}", json=body, headers={"if-match": tag})


def test_an_experiment_carries_the_whole_definition_it_refers_to(api: httpx.Client, postgres: Server) -> None:
    key = _metric(api)
    own = {"key": "own", "type": "proportion", "event_type": "signup", "aggregation": "any"}
    guardrail = {"key": key, "role": "guardrail", "margin": "0.05"}
    made = draft(api, metrics=[own, guardrail])
    first, second = messages(postgres, made["id"])[-1].metrics
    assert (first.key, first.version, first.type, first.cuped) == ("own", 1, "proportion", True)
    assert (second.key, second.version, second.role, second.margin) == (key, 1, "guardrail", "0.05")
    assert (second.event_type, second.window_seconds, second.cap) == ("purchase", 86_400, "500")
    assert second.minimum_effect == "0.02"
    assert [metric["key"] for metric in made["metrics"]] == ["own", key]
    assert made["metrics"][1]["cap"] == "500"


def test_an_unused_metric_may_change_its_meaning(api: httpx.Client, postgres: Server) -> None:
    key = _metric(api)
    changed = _change(api, key, {"type": "quantile", "quantile": "0.9", "cap": None, "name": "p90"}).json()
    assert (changed["version"], changed["revision"], changed["type"]) == (1, 2, "quantile")
    assert (changed["cuped"], changed["name"], changed["event_type"]) == (False, "p90", "purchase")
    assert audited(postgres, "metric", key) == ["create", "change"]


def test_a_metric_in_use_keeps_its_meaning_and_gets_versions(api: httpx.Client, postgres: Server) -> None:
    key = _metric(api)
    made = draft(api, metrics=[{"key": key}])
    answer = _change(api, key, {"cap": "600", "direction": "decrease", "name": "n"})
    assert (answer.status_code, answer.json()["code"]) == (409, "metric_in_use")
    assert refused(answer) == {"cap": "frozen", "direction": "frozen"}
    assert _change(api, key, {"name": "n", "role": "secondary", "cap": "500"}).json()["name"] == "n"
    new = api.post(f"/v1/metrics/{key}/versions", json=REVENUE | {"cap": "600", "reason": "inflation"})
    assert (new.status_code, new.json()["version"], new.json()["in_use"]) == (201, 2, False)
    versions = api.get(f"/v1/metrics/{key}/versions").json()["items"]
    assert [(item["version"], item["cap"], item["reason"]) for item in versions] == [
        (2, "600", "inflation"), (1, "500", None),
    ]  # fmt: skip
    assert messages(postgres, made["id"])[-1].metrics[0].cap == "500"
    newest, oldest = (
        draft(api, metrics=[reference])["metrics"][0]
        for reference in ({"key": key}, {"key": key, "version": 1})
    )
    assert (newest["version"], newest["cap"], oldest["version"], oldest["cap"]) == (2, "600", 1, "500")
    moved = patch(api, made, {"metrics": [{"key": key}]}).json()
    assert (moved["metrics"][0]["version"], moved["version"]) == (2, 2)


def test_the_same_meaning_is_no_new_version(api: httpx.Client) -> None:
    key = _metric(api)
    answer = api.post(f"/v1/metrics/{key}/versions", json=REVENUE)
    assert (answer.status_code, answer.json()["code"]) == (409, "same_definition")


def test_a_definition_of_before_a_field_has_its_default(api: httpx.Client, postgres: Server) -> None:
    key = _metric(api)
    made = draft(api, metrics=[{"key": key}])
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        for table in ("metric_versions", "experiment_metrics"):
            connection.execute(
                f"UPDATE {table} SET definition = definition - 'missing' "
                "WHERE metric_id = (SELECT id FROM metrics WHERE key = %s)",
                (key,),
            )

    shown = api.get(f"/v1/metrics/{key}").json()
    (used,) = api.get(f"/v1/experiments/{made['key']}").json()["metrics"]

    assert (shown["missing"], used["missing"]) == ("zero", "zero")
    same = api.post(f"/v1/metrics/{key}/versions", json=REVENUE)
    assert (same.status_code, same.json()["code"]) == (409, "same_definition")
    assert _change(api, key, {"name": "n"}).status_code == 200
    new = api.post(f"/v1/metrics/{key}/versions", json=REVENUE | {"missing": "exclude"})
    assert (new.status_code, new.json()["missing"]) == (201, "exclude")
    refused_metric = {"key": "r", "type": "proportion", "event_type": "e", "aggregation": "any"}
    answer = api.post("/v1/metrics", json=refused_metric | {"missing": "exclude"})
    assert refused(answer) == {"missing": "not_computable"}


def test_a_change_and_a_first_use_at_once_never_disagree(api: httpx.Client, postgres: Server) -> None:
    """Either the change came first and the experiment has it, or the use came first and the change is refused."""
    for _ in range(15):
        key = _metric(api)
        with ThreadPoolExecutor(2) as pool:
            change = pool.submit(_change, api, key, {"cap": "600"})
            use = pool.submit(draft, api, metrics=[{"key": key}])
        used = messages(postgres, use.result()["id"])[-1].metrics[0].cap
        assert (change.result().status_code, used) in ((200, "600"), (409, "500"))
        assert api.get(f"/v1/metrics/{key}").json()["cap"] == used


def test_of_two_changes_of_the_same_state_one_wins(api: httpx.Client) -> None:
    key = _metric(api)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda name: _change(api, key, {"name": name}, '"1"'), ("x", "y")))
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert api.patch(f"/v1/metrics/{key}", json={"name": "z"}).status_code == 428


def test_new_versions_at_once_get_numbers_of_their_own(api: httpx.Client) -> None:
    key = _metric(api)
    with ThreadPoolExecutor(5) as pool:
        answers = list(
            pool.map(
                lambda cap: api.post(f"/v1/metrics/{key}/versions", json=REVENUE | {"cap": str(cap)}),
                range(1, 6),
            )
        )
    assert sorted(answer.json()["version"] for answer in answers) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("reference", "field", "code"),
    [
        ({"version": 9}, "metrics.0.key", "unknown_metric"),
        ({"version": 0}, "metrics.0.version", "value_out_of_range"),
        ({"margin": "0.1"}, "metrics.0.margin", "not_computable"),
        ({"role": "main"}, "metrics.0.role", "invalid"),
    ],
)
def test_a_reference_that_makes_no_sense_is_refused(
    api: httpx.Client, reference: Json, field: str, code: str
) -> None:
    body = {"key": f"e-{uuid4()}", "variants": VARIANTS, "metrics": [{"key": _metric(api)} | reference]}
    answer = api.post("/v1/experiments", json=body)
    assert (answer.status_code, refused(answer)) == (422, {field: code})


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"aggregation": "any"}, "aggregation", "not_computable"),
        ({"event_type": None}, "event_type", "wrong_type"),
        ({"colour": 1}, "colour", "unknown_field"),
        ({"window_seconds": 2**64}, "window_seconds", "value_out_of_range"),
        ({"cap": "1e400"}, "cap", "invalid"),
        ({"description": "\x00"}, "description", "nul_character"),
        ({"property_filter": {"a": 1}}, "property_filter.a", "wrong_type"),
    ],
)
def test_what_can_not_be_computed_is_not_saved_nor_changed_to(
    api: httpx.Client, fields: Json, field: str, code: str
) -> None:
    key = _metric(api)
    created = api.post("/v1/metrics", json={"key": f"m-{uuid4()}"} | REVENUE | fields)
    assert (created.status_code, refused(created)) == (422, {field: code})
    changed = _change(api, key, fields)
    assert (changed.status_code, refused(changed)) == (422, {field: code})
    assert api.get(f"/v1/metrics/{key}").json()["revision"] == 1


def test_lists_find_by_type_tag_owner_and_text(api: httpx.Client) -> None:
    mark = uuid4().hex
    keys = [
        _metric(api, **fields) for fields in ({"tags": [mark]}, {"owner": mark}, {"description": f"X {mark}"})
    ]
    count = _metric(api, type="count", aggregation="count", tags=[f"{mark}-c"], cap=None)

    def found(**params: str) -> list[str]:
        return [item["key"] for item in api.get("/v1/metrics", params=params).json()["items"]]

    assert found(tag=mark) == [keys[0]]
    assert found(owner=mark) == [keys[1]]
    assert found(text=f"x {mark}") == [keys[2]]
    assert count in found(type="count")
    assert keys[0] not in found(type="count")


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (repository._USES, (["revenue_14d"],)),
        (repository._USERS, {"metric_id": 1, "before": 10, "limit": 10}),
    ],
    ids=["uses", "users"],
)
def test_who_uses_a_metric_is_found_by_the_indexes(postgres: Server, statement: str, values: Any) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = str(connection.execute(f"EXPLAIN {statement}".encode(), values).fetchall())
    for index in ("experiment_metrics_of_catalogue", "experiment_watched_of_catalogue"):
        assert index in plan
    assert "Seq Scan" not in plan


def test_a_metric_that_there_is_not_is_not_found(api: httpx.Client) -> None:
    assert api.get("/v1/metrics/none").json()["code"] == "not_found"
    assert api.get("/v1/metrics/none/versions").status_code == 404
    assert _change(api, "none", {"name": "x"}).status_code == 404
    assert api.post("/v1/metrics/none/versions", json=REVENUE).status_code == 404
    assert api.post("/v1/metrics", json={"key": _metric(api)}).status_code == 422
