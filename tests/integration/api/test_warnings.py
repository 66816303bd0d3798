"""What the API refuses to store, what it warns of, and that what was stored before goes on working."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.conftest import Server
from tests.integration.api.experiments import write
from tests.integration.api.life_cycle import Json, draft, patch, refused, started, step

CASE = Path(__file__).parents[4] / "shared" / "bug-cases" / "version-of-the-app.json"
OLD = "attributes.version >= '1.10.0'"


def create(api: httpx.Client, **fields: Any) -> httpx.Response:
    variants = [{"key": "a", "is_control": True}, {"key": "b"}]
    return api.post("/v1/experiments", json={"key": f"e-{uuid4()}", "variants": variants} | fields)


def warned(answer: httpx.Response) -> list[tuple[str, str]]:
    answer.raise_for_status()
    return [(warning["code"], warning["field"]) for warning in answer.json()["warnings"]]


@pytest.mark.skipif(not CASE.exists(), reason="the cases lie beside the checkout")
def test_a_version_compared_as_a_text_is_refused_and_semver_takes_the_newer_ones(api: httpx.Client) -> None:
    case = json.loads(CASE.read_text())
    answer = create(api, targeting=case["targeting"])
    assert (answer.status_code, refused(answer)) == (422, {"targeting": "invalid_expression"})
    assert "semver(" in answer.json()["detail"]

    running = started(api, targeting='semver(attributes.version) >= "1.10.0"')
    asked = [
        {"experiment": running["key"], "user_id": f"u-{uuid4()}", "attributes": unit}
        for unit in case["units"]
    ]
    found = api.post("/v1/assignments", json=asked).json()["items"]
    assert [item.get("in_experiment", True) for item in found] == [False, True, True]


def test_arms_that_give_several_types_are_refused_and_one_without_payload_is_warned_of(
    api: httpx.Client,
) -> None:
    control = {"key": "a", "is_control": True}
    mixed = [control | {"payload": {"value": 1}}, {"key": "b", "payload": {"value": "1"}}]
    answer = create(api, variants=mixed)
    assert (answer.status_code, refused(answer)) == (422, {"variants.1.payload": "payload_types"})
    answer = create(api, variants=[control, {"key": "b", "payload": {"fields": 4}}])
    assert warned(answer) == [("payload_types", "variants.0.payload")]
    assert warned(api.get(f"/v1/experiments/{answer.json()['key']}")) == warned(answer)
    explicit = [control | {"payload": {"value": None}}, {"key": "b", "payload": {"fields": 4}}]
    assert warned(create(api, variants=explicit)) == []


def test_an_experiment_that_was_stored_before_goes_on_working(api: httpx.Client, postgres: Server) -> None:
    payloads = {"a": {"value": 1}, "b": {"value": "1"}}
    old = write(postgres, payloads=payloads, targeting=OLD, allocation=5_000)
    shown = api.get(f"/v1/experiments/{old.key}")
    assert warned(shown) == [("payload_types", "variants.1.payload"), ("invalid_expression", "targeting")]
    ramped = patch(api, shown.json(), {"allocation": 10_000, "targeting": OLD})
    assert ramped.json()["allocation"] == 10_000
    for name in ("pause", "resume"):
        step(api, old.key, name).raise_for_status()
    found = api.post(
        "/v1/assignments", json={"experiment": old.key, "user_id": "u", "attributes": {"version": "1.9.0"}}
    ).json()
    assert found["payload"] == payloads[found["variant_key"]]


def test_a_draft_is_refused_a_change_that_it_may_not_be_created_with(api: httpx.Client) -> None:
    made = draft(api)
    answer = patch(api, made, {"targeting": "attributes.name.matches('(((')"})
    assert (answer.status_code, refused(answer)) == (422, {"targeting": "invalid_expression"})
    assert api.get(f"/v1/experiments/{made['key']}").json()["targeting"] is None


def test_shipping_what_the_data_do_not_bear_out_is_recorded_and_warned_of(api: httpx.Client) -> None:
    ship = {"outcome": "ship", "variant_key": "b", "reason": "conversion up"}
    running = started(api)
    concluded = step(api, running["key"], "conclude", ship)
    assert warned(concluded) == [("against_the_data", "outcome")]
    assert ship.items() <= concluded.json()["decision"].items()
    again = patch(api, concluded.json(), {"decision": ship | {"variant_key": "c"}})
    assert warned(again) == [("against_the_data", "outcome")]


def test_a_decision_without_a_reason_is_told_what_it_is_for(api: httpx.Client) -> None:
    running: Json = started(api)
    answer = step(api, running["key"], "conclude", {"outcome": "roll_back"})
    assert (answer.status_code, refused(answer)) == (422, {"reason": "missing_field"})
    assert "say why" in answer.json()["detail"]
