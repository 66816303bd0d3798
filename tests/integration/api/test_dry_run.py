"""A draft that is only validated: refused as it would be, and nothing of it stays."""

from __future__ import annotations

from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.integration.api.conftest import Server
from tests.integration.api.life_cycle import draft

TRACES = (
    "SELECT count(*) FROM experiments WHERE key = %(key)s",
    "SELECT count(*) FROM audit_log WHERE object_id = %(key)s",
)


def body(**fields: object) -> dict[str, object]:
    usual = {
        "key": f"dry-{uuid4()}",
        "variants": [{"key": "a", "is_control": True}, {"key": "b"}],
        "allocation": 50,
    }
    return usual | fields


def test_a_dry_run_answers_what_the_draft_would_be_and_stores_nothing(
    api: httpx.Client, postgres: Server
) -> None:
    wanted = body()

    dry = api.post("/v1/experiments", params={"dry_run": True}, json=wanted)

    assert dry.status_code == 200
    assert "etag" not in dry.headers
    with psycopg.connect(postgres.dsn) as connection:
        for query in TRACES:
            assert connection.execute(query, {"key": wanted["key"]}).fetchone() == (0,)
    made = api.post("/v1/experiments", json=wanted)
    assert made.status_code == 201
    changing = ("id", "salt", "created_at")
    assert {name: value for name, value in dry.json().items() if name not in changing} == {
        name: value for name, value in made.json().items() if name not in changing
    }
    assert dry.json()["id"] == 0
    assert dry.json()["warnings"] != []


def test_a_dry_run_and_the_creation_may_have_one_idempotency_key(api: httpx.Client) -> None:
    wanted, once = body(), {"Idempotency-Key": str(uuid4())}

    dry = api.post("/v1/experiments", params={"dry_run": True}, json=wanted, headers=once)

    assert dry.status_code == 200
    assert api.get(f"/v1/experiments/{wanted['key']}").status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"holdouts": ["no-such"]},
        {"layer": {"key": "no-such", "share": 100}},
        {"metrics": [{"catalogue": "no-such"}]},
        {"variants": [{"key": "a", "is_control": True}]},
        {"targeting": "attributes.("},
        {"colour": "red"},
        {"allocation": 10_001},
    ],
)
def test_a_dry_run_is_refused_as_the_creation_is(api: httpx.Client, fields: dict[str, object]) -> None:
    wanted = body(**fields)

    dry, real = (
        api.post("/v1/experiments", params={"dry_run": dry_run}, json=wanted) for dry_run in (True, False)
    )

    assert dry.status_code == real.status_code >= 400
    assert dry.json()["title"] == real.json()["title"]
    assert dry.json().get("errors") == real.json().get("errors")


def test_a_key_that_is_taken_is_told(api: httpx.Client) -> None:
    taken = draft(api)["key"]

    refused = api.post("/v1/experiments", params={"dry_run": True}, json=body(key=taken))

    assert (refused.status_code, refused.json()["code"]) == (409, "experiment_exists")


def test_a_dry_run_takes_no_place_in_its_layer(api: httpx.Client) -> None:
    layer = f"l-{uuid4()}"
    api.post("/v1/layers", json={"key": layer}).raise_for_status()
    whole = {"layer": {"key": layer, "share": 10_000}}

    for _ in range(2):
        answer = api.post("/v1/experiments", params={"dry_run": True}, json=body(**whole))
        assert answer.status_code == 200, answer.text
    assert api.post("/v1/experiments", json=body(**whole)).status_code == 201
    full = api.post("/v1/experiments", params={"dry_run": True}, json=body(**whole))
    assert (full.status_code, full.json()["code"]) == (409, "layer_full")
