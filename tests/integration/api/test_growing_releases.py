"""A release that grows by time alone: each step is a version, taken once, and a person's word ends it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.api.conftest import Server
from tests.integration.api.life_cycle import Json, messages, rows, started, step

STEPS = [{"share": "10 %", "hold": "PT1H"}, {"share": 5_000, "hold": "P1D"}, {"share": 10_000, "hold": "P1D"}]
GROWS: Json = {"variant_key": "b", "ramp": {"steps": STEPS}}
SHIP: Json = {"outcome": "ship", "variant_key": "b", "reason": "it is better"}
PEOPLE = [f"u{number}" for number in range(200)]


def released(api: httpx.Client, **release: Any) -> Json:
    key = started(api)["key"]
    done = step(api, key, "conclude", SHIP | {"release": GROWS | release})
    assert done.status_code == 200, done.text
    found: Json = done.json()
    return found


def pass_time(server: Server, key: str, interval: str) -> None:
    """Move the step's beginning into the past, as waiting would."""
    statement = """UPDATE experiments SET release = jsonb_set(release, '{ramp,step_since}',
        to_jsonb(to_char((release #>> '{ramp,step_since}')::timestamptz AT TIME ZONE 'UTC' - %s::interval,
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
    WHERE key = %s RETURNING id"""
    assert rows(server, statement, interval, key)


def look(api: httpx.Client, key: str) -> list[str]:
    """What a look for what is due did to this experiment."""
    items = api.post("/v1/experiments/due").raise_for_status().json()["items"]
    return [item["step"] for item in items if item["key"] == key]


def now(api: httpx.Client, key: str) -> Json:
    found: Json = api.get(f"/v1/experiments/{key}").raise_for_status().json()
    return found


def put(api: httpx.Client, key: str, body: Json) -> httpx.Response:
    return api.put(f"/v1/experiments/{key}/release", json=body, headers={"if-match": "*"})


def have(api: httpx.Client, key: str) -> set[str]:
    """Who gets the variant."""
    body = [{"experiment": key, "user_id": one} for one in PEOPLE]
    items = api.post("/v1/assignments", json=body).raise_for_status().json()["items"]
    return {item["user_id"] for item in items if item["variant_key"] == "b"}


def test_the_share_grows_when_its_time_has_come_and_takes_the_variant_from_nobody(
    api: httpx.Client, postgres: Server
) -> None:
    made = released(api)
    key, began = made["key"], made["release"]["ramp"]["step_since"]
    assert made["release"] == {
        "variant_key": "b",
        "share": 1_000,
        "population": "targeted",
        "ramp": {"steps": [STEPS[0] | {"share": 1_000}, *STEPS[1:]], "step_since": began},
    }
    reached = have(api, key)
    assert 0 < len(reached) < len(PEOPLE) / 3

    assert look(api, key) == []
    pass_time(postgres, key, "59 minutes")
    assert look(api, key) == []
    pass_time(postgres, key, "1 minute")
    assert look(api, key) == ["release"]
    assert look(api, key) == []
    half = now(api, key)["release"]
    assert half["share"] == 5_000
    since = datetime.fromisoformat(half["ramp"]["step_since"])
    assert abs(since - datetime.fromisoformat(began)) < timedelta(minutes=5)
    assert reached < (reached := have(api, key))

    pass_time(postgres, key, "40 days")
    assert look(api, key) == ["release"]
    assert now(api, key)["release"] == {
        "variant_key": "b",
        "share": 10_000,
        "population": "targeted",
        "ramp": None,
    }
    assert have(api, key) == set(PEOPLE)
    assert look(api, key) == []
    history = api.get(f"/v1/experiments/{key}/versions").json()["items"]
    assert [(item["action"], item["reason"]) for item in history[:2]] == [
        ("release", "step 3 of 3, 100 %"),
        ("release", "step 2 of 3, 50 %"),
    ]
    told = [message.release for message in messages(postgres, made["id"]) if message.release is not None]
    assert [release.share for release in told] == [1_000, 5_000, 10_000]


def test_of_many_who_look_at_once_one_takes_the_step(api: httpx.Client, postgres: Server) -> None:
    key = released(api)["key"]
    pass_time(postgres, key, "1 hour")
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: look(api, key), range(16)))
    assert sorted(map(len, done)) == [0] * 15 + [1]
    assert now(api, key)["release"]["share"] == 5_000


def test_a_release_without_a_ramp_ends_it_at_the_share_that_it_says(
    api: httpx.Client, postgres: Server
) -> None:
    key = released(api)["key"]
    held = put(api, key, {"variant_key": "b", "share": 1_000, "reason": "until Monday"})
    assert held.json()["release"]["ramp"] is None
    rest = {"steps": STEPS[1:]}
    again = put(api, key, {"variant_key": "b", "ramp": rest, "reason": "it is Monday"}).json()
    assert again["release"]["share"] == 5_000
    assert (
        put(api, key, {"variant_key": "b", "share": "50 %", "ramp": rest}).json()["version"]
        == again["version"]
    )
    pass_time(postgres, key, "1 day")
    assert look(api, key) == ["release"]
    assert now(api, key)["release"]["share"] == 10_000


def test_another_decision_for_the_same_variant_leaves_it_growing_and_another_variant_ends_it(
    api: httpx.Client,
) -> None:
    made = released(api)
    path = f"/v1/experiments/{made['key']}"
    same = api.patch(path, json={"decision": SHIP | {"reason": "sure"}}, headers={"if-match": "*"}).json()
    assert same["release"] == made["release"]
    other = api.patch(path, json={"decision": SHIP | {"variant_key": "c"}}, headers={"if-match": "*"}).json()
    assert other["release"] == {
        "variant_key": "c",
        "share": 10_000,
        "population": "targeted",
        "ramp": None,
    }


def test_a_ready_made_one_gives_shares_and_times(api: httpx.Client) -> None:
    release = released(api, ramp="careful")["release"]
    assert release["share"] == 100
    assert release["ramp"]["steps"][-2:] == [
        {"share": 5_000, "hold": "P7D"},
        {"share": 10_000, "hold": "P2D"},
    ]


def test_what_is_archived_does_not_grow(api: httpx.Client, postgres: Server) -> None:
    key = released(api)["key"]
    step(api, key, "archive", {"force": True, "reason": "x"}).raise_for_status()
    pass_time(postgres, key, "30 days")
    assert look(api, key) == []


@pytest.mark.parametrize(
    ("ramp", "fields", "field"),
    [
        ({"steps": []}, {}, "ramp.steps"),
        ({"steps": [STEPS[1], STEPS[0]]}, {}, "ramp.steps.1.share"),
        ({"steps": [STEPS[0] | {"share": 0}]}, {}, "ramp.steps.0.share"),
        ({"steps": [STEPS[0] | {"hold": "P1M"}]}, {}, "ramp.steps.0.hold"),
        ({"steps": [STEPS[0] | {"units": 5}]}, {}, "ramp.steps.0.units"),
        ({"steps": STEPS, "on_breach": "pause"}, {}, "ramp.on_breach"),
        ({"steps": STEPS}, {"share": 2_000}, "share"),
        ("bold", {}, "ramp"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_field(
    api: httpx.Client, ramp: Any, fields: Json, field: str
) -> None:
    key = released(api)["key"]
    answer = put(api, key, {"variant_key": "b", "ramp": ramp} | fields)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
