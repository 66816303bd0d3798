"""PATCH: who saw the state changes it, within what the state allows; every refusal names its field."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.conftest import Server
from tests.integration.api.life_cycle import (
    VARIANTS,
    Json,
    audited,
    draft,
    messages,
    patch,
    refused,
    rows,
    started,
    step,
)

JSON = {"content-type": "application/json"}


def test_of_two_patches_of_the_same_state_one_wins(api: httpx.Client, postgres: Server) -> None:
    running = started(api, allocation=1_000)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda share: patch(api, running, {"allocation": share}), (2_000, 3_000)))
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    assert lost.json()["code"] == "changed_meanwhile"
    assert lost.headers["etag"] == won.headers["etag"] == '"3"'
    stored = api.get(f"/v1/experiments/{running['key']}").json()
    assert stored == won.json()
    assert [message.allocation for message in messages(postgres, running["id"])] == [
        1_000,
        1_000,
        stored["allocation"],
    ]


def test_a_patch_says_which_state_it_changes(api: httpx.Client) -> None:
    made = draft(api)
    path = f"/v1/experiments/{made['key']}"
    assert api.patch(path, json={"name": "x"}).status_code == 428
    assert api.patch(path, json={"name": "x"}, headers={"if-match": "*"}).json()["name"] == "x"
    assert api.patch(path, json={"name": "y"}, headers={"if-match": "7"}).status_code == 400


def test_a_change_leaves_who_when_why_and_the_difference(api: httpx.Client, postgres: Server) -> None:
    running = started(api, allocation=1_000)
    body = {"allocation": 2_500, "owner": "growth", "reason": "Ramp up",
            "variants": [{"key": "c", "active": False}]}  # fmt: skip
    changed = patch(api, running, body).json()
    assert (changed["version"], changed["allocation"]) == (3, 2_500)
    newest = api.get(f"/v1/experiments/{running['key']}/versions").json()["items"][0]
    assert (newest["version"], newest["action"], newest["reason"]) == (3, "change", "Ramp up")
    difference = newest["difference"]
    assert difference["allocation"] == {"before": 1_000, "after": 2_500}
    assert difference["owner"] == {"before": None, "after": "growth"}
    assert set(difference) == {"allocation", "owner", "variants"}
    last = messages(postgres, running["id"])[-1]
    assert (last.version, last.allocation, last.owner) == (3, 2_500, "growth")
    assert [(arm.key, arm.weight, arm.active) for arm in last.variants] == [
        ("a", 1, True), ("b", 1, True), ("c", 2, False),
    ]  # fmt: skip
    assert audited(postgres, "experiment", running["key"]) == ["create", "start", "change"]


def test_a_patch_that_changes_nothing_makes_no_version(api: httpx.Client, postgres: Server) -> None:
    made = draft(api, name="x", tags=["t"])
    for body in (
        {},
        {"name": "x"},
        {"variants": VARIANTS},
        {"metrics": []},
        {"tags": ["t"], "reason": "none"},
    ):
        assert patch(api, made, body).json()["version"] == 1
    assert len(messages(postgres, made["id"])) == 1


def test_a_draft_may_change_everything(api: httpx.Client, postgres: Server) -> None:
    layer = f"layer-{uuid4()}"
    api.post("/v1/layers", json={"key": layer}).raise_for_status()
    made = draft(api)
    body: Json = {
        "name": "n", "hypothesis": "h", "owner": "o", "tags": ["t"], "unit_type": "device", "population": "assigned",
        "allocation": 10, "layer": {"key": layer, "share": 300}, "holdouts": [], "salt": "s",
        "variants": [{"key": "x", "is_control": True}, {"key": "y", "payload": {"n": 1}}],
        "metrics": [{"key": "m", "type": "count", "event_type": "click", "aggregation": "count"}],
        "planned_days": 7, "planned_units": 70, "scheduled_start_at": "2190-01-01T00:00:00+02:00",
        "scheduled_stop_at": "2190-02-01T00:00:00Z",
    }  # fmt: skip
    changed = patch(api, made, body).json()
    shown = {name: changed[name] for name in body}
    assert shown["layer"] == {"key": layer, "start": 0, "end": 300}
    assert shown["scheduled_start_at"] == "2189-12-31T22:00:00Z"
    assert [variant["key"] for variant in shown["variants"]] == ["x", "y"]
    assert shown["metrics"][0]["type"] == "count"
    for name in (
        "name",
        "tags",
        "unit_type",
        "population",
        "allocation",
        "holdouts",
        "salt",
        "planned_units",
    ):
        assert shown[name] == body[name]
    message = messages(postgres, made["id"])[-1]
    assert message.layer is not None
    assert (message.layer.key, message.layer.start, message.layer.end) == (layer, 0, 300)
    assert message.scheduled_start_at == "2189-12-31T22:00:00.000000Z"
    assert message.metrics[0].cuped


def test_every_field_that_a_running_experiment_refuses_is_named(api: httpx.Client) -> None:
    running = started(api, allocation=5_000)
    body = {
        "allocation": 4_000, "salt": "other", "population": "assigned", "targeting": "true", "holdouts": [],
        "metrics": [{"key": "m", "type": "count", "event_type": "e", "aggregation": "count"}],
        "variants": [{"key": "b", "weight": 5}, {"key": "new"}], "name": "allowed",
    }  # fmt: skip
    answer = patch(api, running, body)
    assert answer.status_code == 409
    assert refused(answer) == {
        "allocation": "may_only_grow", "salt": "frozen", "population": "frozen", "targeting": "frozen",
        "holdouts": "frozen", "metrics": "frozen", "variants.b.weight": "frozen", "variants.new": "frozen",
    }  # fmt: skip
    assert api.get(f"/v1/experiments/{running['key']}").json()["name"] is None


def test_a_stop_moves_but_not_into_the_past(api: httpx.Client) -> None:
    running = started(api)
    moved = patch(api, running, {"scheduled_stop_at": "2190-01-01T00:00:00Z"})
    assert moved.json()["scheduled_stop_at"] == "2190-01-01T00:00:00Z"
    answer = patch(api, moved.json(), {"scheduled_stop_at": "2020-01-01T00:00:00Z"})
    assert (answer.status_code, refused(answer)) == (422, {"scheduled_stop_at": "dates_order"})


METRIC = {"key": "m", "type": "mean", "event_type": "e", "aggregation": "sum"}
BAD: dict[str, tuple[Json, dict[str, str]]] = {
    "unknown field": ({"colour": 1}, {"colour": "unknown_field"}),
    "wrong type": ({"allocation": "5000"}, {"allocation": "wrong_type"}),
    "text for an object": ({"layer": "l"}, {"layer": "wrong_type"}),
    "number for a flag": ({"variants": [{"key": "a", "is_control": 1}, {"key": "b"}]}, {
        "variants.0.is_control": "wrong_type",
    }),
    "no control": ({"variants": [{"key": "a"}, {"key": "b"}]}, {"variants": "control_count"}),
    "two controls": ({"variants": [{"key": "a", "is_control": True}, {"key": "b", "is_control": True}]}, {
        "variants": "control_count",
    }),
    "one variant": ({"variants": [{"key": "a", "is_control": True}]}, {"variants": "too_short"}),
    "a variant twice": ({"variants": [*VARIANTS, {"key": "b"}]}, {"variants": "duplicate"}),
    "weight nought": ({"variants": [VARIANTS[0], {"key": "b", "weight": 0}]}, {
        "variants.1.weight": "value_out_of_range",
    }),
    "weight past 2^63": ({"variants": [VARIANTS[0], {"key": "b", "weight": 2**70}]}, {
        "variants.1.weight": "value_out_of_range",
    }),
    "allocation past all": ({"allocation": 10_001}, {"allocation": "value_out_of_range"}),
    "a metric twice": ({"metrics": [METRIC, METRIC]}, {"metrics": "duplicate"}),
    "a tag twice": ({"tags": ["x", "x"]}, {"tags": "duplicate"}),
    "unknown layer": ({"layer": {"key": "none", "share": 1}}, {"layer.key": "unknown_layer"}),
    "unknown holdout": ({"holdouts": ["none"]}, {"holdouts": "unknown_holdout"}),
    "unknown metric": ({"metrics": [{"key": "none"}]}, {"metrics.0.key": "unknown_metric"}),
    "metric that can't be computed": ({"metrics": [METRIC | {"quantile": "0.5"}]}, {
        "metrics.0.quantile": "not_computable",
    }),
    "metric with an unknown field": ({"metrics": [METRIC | {"colour": 1}]}, {"metrics.0.colour": "unknown_field"}),
    "reference with a definition's field": ({"metrics": [{"key": "m", "cap": "1"}]}, {
        "metrics.0.cap": "unknown_field",
    }),
    "dates in the wrong order": (
        {"scheduled_start_at": "2190-01-02T00:00:00Z", "scheduled_stop_at": "2190-01-01T00:00:00Z"},
        {"scheduled_stop_at": "dates_order"},
    ),
    "a date without a zone": ({"scheduled_start_at": "2190-01-02T00:00:00"}, {
        "scheduled_start_at": "invalid_timestamp",
    }),
    "a number for a date": ({"scheduled_start_at": 5}, {"scheduled_start_at": "invalid_timestamp"}),
    "a date out of range": ({"scheduled_start_at": "9999-12-31T23:59:59-12:00"}, {
        "scheduled_start_at": "value_out_of_range",
    }),
    "NUL in a text": ({"name": "a\x00b"}, {"name": "nul_character"}),
    "half a surrogate in a text": ({"hypothesis": "\ud800"}, {"hypothesis": "lone_surrogate"}),
    "NUL in a payload": ({"variants": [VARIANTS[0], {"key": "b", "payload": {"a": "\x00"}}]}, {
        "variants.1.payload.a": "nul_character",
    }),
    "half a surrogate in a payload": ({"variants": [VARIANTS[0], {"key": "b", "payload": {"\udfff": 1}}]}, {
        "variants.1.payload.\\udfff": "lone_surrogate",
    }),
    "a payload's integer past 2^63": ({"variants": [VARIANTS[0], {"key": "b", "payload": {"a": 2**63}}]}, {
        "variants.1.payload.a": "value_out_of_range",
    }),
    "a payload of 20 levels": (
        {"variants": [VARIANTS[0], {"key": "b", "payload": json.loads('{"a":' * 20 + "1" + "}" * 20)}]},
        {"variants.1.payload": "too_deep"},
    ),
    "a payload of 100 kB": ({"variants": [VARIANTS[0], {"key": "b", "payload": {"a": "x" * 100_000}}]}, {
        "variants.1.payload": "too_large",
    }),
    "a targeting text of 5,000": ({"targeting": "x" * 5_000}, {"targeting": "too_long"}),
    "targeting that does not compile": ({"targeting": "country =="}, {"targeting": "invalid_expression"}),
    "targeting that is no condition": ({"targeting": "1 + 1"}, {"targeting": "invalid_expression"}),
    "null for what can't be null": ({"allocation": None}, {"allocation": "wrong_type"}),
    "a plan of nothing": ({"planned_units": 0}, {"planned_units": "value_out_of_range"}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_field_and_code_on_creation_and_on_change(
    api: httpx.Client, name: str
) -> None:
    body, expected = BAD[name]
    whole = {"key": f"bad-{uuid4()}", "variants": VARIANTS} | body
    created = api.post("/v1/experiments", content=json.dumps(whole), headers=JSON)
    assert (created.status_code, refused(created)) == (422, expected)
    made = draft(api)
    changed = api.patch(
        f"/v1/experiments/{made['key']}", content=json.dumps(body), headers=JSON | {"if-match": "*"}
    )
    assert (changed.status_code, refused(changed)) == (422, expected)


@pytest.mark.parametrize("key", ["", "a b", "ä", "../x", ".x", "a/b", "x" * 257, "a\n"])
def test_a_key_of_other_characters_is_refused(api: httpx.Client, key: str) -> None:
    for path in ("experiments", "layers", "holdouts", "metrics"):
        body = {"key": key, "variants": VARIANTS, "share": 1} if path == "experiments" else {"key": key}
        answer = api.post(f"/v1/{path}", json=body)
        assert answer.status_code == 422
        assert "key" in refused(answer)


def test_a_key_stays(api: httpx.Client) -> None:
    made = draft(api)
    for field in ("key", "source", "status", "version", "inference"):
        assert refused(patch(api, made, {field: "x"})) == {field: "unknown_field"}


@pytest.mark.parametrize("field", ["layer", "targeting", "holdouts"])
def test_an_external_experiment_assigns_nobody(api: httpx.Client, field: str) -> None:
    value: Any = {"layer": {"key": "l", "share": 1}, "targeting": "true", "holdouts": []}[field]
    answer = api.post(
        "/v1/experiments",
        json={"key": f"x-{uuid4()}", "source": "external", "variants": VARIANTS, field: value},
    )
    assert refused(answer) == {field: "internal_only"}


def test_a_snapshot_that_the_stream_would_not_carry_is_refused(api: httpx.Client) -> None:
    filters = {f"p{n}": "x" * 2_000 for n in range(20)}
    metrics = [
        {
            "key": f"m{n}",
            "type": "count",
            "event_type": "e",
            "aggregation": "count",
            "property_filter": filters,
        }
        for n in range(10)
    ]
    answer = api.post(
        "/v1/experiments", json={"key": f"x-{uuid4()}", "variants": VARIANTS, "metrics": metrics}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "too_large")


def test_a_tester_s_variant_is_a_version_that_does_not_name_the_tester(
    api: httpx.Client, postgres: Server
) -> None:
    running = started(api)
    path = f"/v1/experiments/{running['key']}/forced-variants"
    tester = f"tester-{uuid4()}"
    for variant in ("b", "c", "c"):
        answer = api.put(path, json={"user_id": tester, "variant_key": variant})
        assert answer.json()["items"][0]["variant_key"] == variant
    assert api.get(path).json() == answer.json()
    assert api.delete(path, params={"user_id": tester}).status_code == 204
    assert api.delete(path, params={"user_id": tester}).status_code == 404
    history = api.get(f"/v1/experiments/{running['key']}/versions").json()["items"]
    assert [item["difference"] for item in reversed(history)][2:] == [
        {"forced_variants": {"before": {}, "after": {"b": 1}}},
        {"forced_variants": {"before": {"b": 1}, "after": {"c": 1}}},
        {"forced_variants": {"before": {"c": 1}, "after": {}}},
    ]
    everything = rows(postgres, "SELECT row_to_json(a)::text FROM audit_log AS a") + rows(
        postgres, "SELECT row_to_json(v)::text FROM experiment_versions AS v"
    )
    assert [text for (text,) in everything if tester in text] == []


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"variant_key": "z"}, "variant_key", "unknown_variant"),
        ({"unit_type": "device"}, "unit_type", "unit_type_mismatch"),
        ({"user_id": ""}, "user_id", "too_short"),
        ({"user_id": "a\x00"}, "user_id", "nul_character"),
    ],
)
def test_a_bad_forced_variant_is_refused(api: httpx.Client, fields: Json, field: str, code: str) -> None:
    body = {"user_id": "t", "variant_key": "b"} | fields
    answer = api.put(f"/v1/experiments/{draft(api)['key']}/forced-variants", json=body)
    assert (answer.status_code, refused(answer)) == (422, {field: code})


def test_what_has_ended_takes_no_testers(api: httpx.Client) -> None:
    running = started(api)
    step(api, running["key"], "conclude").raise_for_status()
    answer = api.put(
        f"/v1/experiments/{running['key']}/forced-variants", json={"user_id": "t", "variant_key": "b"}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "has_ended")
