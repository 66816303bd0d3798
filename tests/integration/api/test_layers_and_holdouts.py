"""Layers never give a slot twice; holdouts touch every experiment that respects them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.integration.api.conftest import Server
from tests.integration.api.fleet import running_api
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


def _layer(api: httpx.Client) -> str:
    key = f"layer-{uuid4()}"
    answer = api.post("/v1/layers", json={"key": key})
    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"] == '"1"'
    return key


def _ask(api: httpx.Client, layer: str, share: int) -> httpx.Response:
    body = {"key": f"e-{uuid4()}", "variants": VARIANTS, "layer": {"key": layer, "share": share}}
    return api.post("/v1/experiments", json=body)


def test_fifty_requests_at_once_for_the_last_slots_over_two_processes(
    api: httpx.Client, postgres: Server, tmp_path: Path
) -> None:
    """Of 50 that ask for a thousandth each where a hundredth is left, ten get it, in slots of their own."""
    layer = _layer(api)
    assert _ask(api, layer, 9_900).status_code == 201
    with running_api(postgres, tmp_path) as other, ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda n: _ask((api, other)[n % 2], layer, 10), range(50)))
    statuses = [answer.status_code for answer in answers]
    assert sorted(set(statuses)) == [201, 409]
    assert statuses.count(201) == 10
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"layer_full"}
    held = api.get(f"/v1/layers/{layer}").json()
    assert (held["free"], held["largest_free"]) == (0, 0)
    assert [slots["start"] for slots in held["slots"]] == [0, *range(9_900, 10_000, 10)]
    assert all(one["end"] == next_["start"] for one, next_ in pairwise(held["slots"]))
    stored = [
        messages(postgres, answer.json()["id"])[-1].layer for answer in answers if answer.status_code == 201
    ]
    assert {(slots.start, slots.end) for slots in stored if slots is not None} == {
        (slots["start"], slots["end"]) for slots in held["slots"][1:]
    }


def test_a_full_layer_says_what_room_is_left(api: httpx.Client) -> None:
    layer = _layer(api)
    made = [_ask(api, layer, share).json() for share in (3_000, 2_000, 4_000)]
    step(api, made[1]["key"], "start").raise_for_status()
    step(api, made[1]["key"], "conclude").raise_for_status()
    answer = _ask(api, layer, 2_001)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (409, "layer_full", "layer.share")
    assert (problem["layer"], problem["free"], problem["largest_free"]) == (layer, 3_000, 2_000)
    assert _ask(api, layer, 2_000).json()["layer"] == {"key": layer, "start": 3_000, "end": 5_000}


def test_a_draft_can_change_its_share_move_and_leave(api: httpx.Client) -> None:
    layer, other = _layer(api), _layer(api)
    made = _ask(api, layer, 6_000).json()
    grown = patch(api, made, {"layer": {"key": layer, "share": 9_000}}).json()
    assert grown["layer"] == {"key": layer, "start": 0, "end": 9_000}
    moved = patch(api, grown, {"layer": {"key": other, "share": 10_000}}).json()
    assert api.get(f"/v1/layers/{layer}").json()["slots"] == []
    assert patch(api, moved, {"layer": None}).json()["layer"] is None
    assert api.get(f"/v1/layers/{other}").json()["free"] == 10_000


def test_the_database_itself_refuses_an_overlap(api: httpx.Client, postgres: Server) -> None:
    layer = _layer(api)
    one, two = _ask(api, layer, 100).json(), _ask(api, layer, 100).json()
    with pytest.raises(Exception, match="experiments_slots_do_not_overlap"):
        rows(
            postgres,
            "UPDATE experiments SET layer_start = %s WHERE key = %s RETURNING id",
            one["layer"]["end"] - 1,
            two["key"],
        )


def test_a_layer_is_renamed_by_who_saw_it_and_deleted_unless_used(
    api: httpx.Client, postgres: Server
) -> None:
    layer = _layer(api)
    path = f"/v1/layers/{layer}"
    assert api.post("/v1/layers", json={"key": layer}).json()["code"] == "layer_exists"
    assert api.patch(path, json={"name": "x"}).status_code == 428
    assert api.patch(path, json={"name": "x"}, headers={"if-match": '"1"'}).json()["version"] == 2
    assert api.patch(path, json={"name": "y"}, headers={"if-match": '"1"'}).status_code == 412
    assert refused(api.patch(path, json={"salt": "y"}, headers={"if-match": "*"})) == {
        "salt": "unknown_field"
    }
    used = _ask(api, layer, 1).json()
    assert api.delete(path).json()["code"] == "layer_in_use"
    api.delete(f"/v1/experiments/{used['key']}").raise_for_status()
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == api.delete(path).status_code == 404
    assert audited(postgres, "layer", layer) == ["create", "change", "delete"]


@pytest.mark.parametrize("path", ["layers", "holdouts", "metrics"])
def test_lists_hold_everything_once_newest_first(api: httpx.Client, path: str) -> None:
    definition = {"type": "count", "event_type": "e", "aggregation": "count"}
    extra: Json = {"layers": {}, "holdouts": {"share": 0}, "metrics": definition}[path]
    made = [f"k-{uuid4()}" for _ in range(5)]
    for key in made:
        api.post(f"/v1/{path}", json={"key": key} | extra).raise_for_status()
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params: dict[str, Any] = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = api.get(f"/v1/{path}", params=params).json()
        seen += [item["key"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen[:5] == made[::-1]
    assert len(seen) == len(set(seen))
    for key in made:
        api.delete(f"/v1/{path}/{key}")


@pytest.fixture
def holdout(api: httpx.Client, postgres: Server) -> Any:
    """Removed afterwards whatever respects it: it would reach the experiments of every other test."""
    made: list[str] = []

    def make(**fields: Any) -> str:
        key = f"holdout-{uuid4()}"
        answer = api.post("/v1/holdouts", json={"key": key, "share": 100} | fields)
        assert answer.status_code == 201, answer.text
        made.append(key)
        return key

    yield make
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("DELETE FROM holdouts WHERE key = ANY (%s)", [made])


def _change(api: httpx.Client, key: str, body: Json, tag: str = "*") -> httpx.Response:
    return api.patch(f"/v1/holdouts/{key}", json=body, headers={"if-match": tag})


def test_a_holdout_touches_the_running_experiments_that_respect_it(
    api: httpx.Client, postgres: Server, holdout: Any
) -> None:
    everything, nothing, unstarted = started(api), started(api, holdouts=[]), draft(api)
    key = holdout()
    named = started(api, holdouts=[key])
    assert _change(api, key, {"share": 250, "reason": "a wider look"}).json()["version"] == 2
    heard = [messages(postgres, each["id"]) for each in (everything, nothing, unstarted, named)]
    assert [len(each) for each in heard] == [4, 2, 1, 3]
    assert [key in each[-1].holdouts for each in heard] == [True, False, False, True]
    newest = api.get(f"/v1/experiments/{named['key']}/versions").json()["items"][0]
    assert (newest["action"], newest["reason"]) == ("holdout_change", "a wider look")
    assert newest["difference"] == {"holdout_share": {"key": key, "before": 100, "after": 250}}


def test_a_holdout_only_grows_while_experiments_run(api: httpx.Client, holdout: Any) -> None:
    key = holdout(share=200)
    running = started(api, holdouts=[key])
    assert refused(_change(api, key, {"share": 199})) == {"share": "may_only_grow"}
    assert _change(api, key, {"share": 200}).json()["version"] == 1
    blocked = api.delete(f"/v1/holdouts/{key}").json()
    assert (blocked["code"], blocked["experiments"]) == ("holdout_in_use", [running["key"]])


def test_a_deleted_holdout_is_left_by_those_that_respected_all(api: httpx.Client, postgres: Server) -> None:
    key = f"holdout-{uuid4()}"
    running = started(api)
    api.post("/v1/holdouts", json={"key": key, "share": 5}).raise_for_status()
    assert api.post("/v1/holdouts", json={"key": key, "share": 5}).json()["code"] == "holdout_exists"
    assert api.get(f"/v1/holdouts/{key}").json()["share"] == 5
    assert _change(api, key, {"name": "x"}, '"1"').json()["name"] == "x"
    assert _change(api, key, {"name": "y"}, '"1"').status_code == 412
    assert api.delete(f"/v1/holdouts/{key}").status_code == 204
    assert api.get(f"/v1/holdouts/{key}").status_code == 404
    heard = messages(postgres, running["id"])
    assert [key in message.holdouts for message in heard] == [False, False, True, False]
    assert audited(postgres, "holdout", key) == ["create", "change", "delete"]


def test_changes_of_holdouts_and_of_experiments_at_once_all_happen(
    api: httpx.Client, postgres: Server, holdout: Any
) -> None:
    key = holdout(share=1)
    running = [started(api, holdouts=[key], allocation=10) for _ in range(6)]

    def grow(n: int) -> int:
        if n % 4 == 0:
            return _change(api, key, {"share": 2 + n}).status_code
        one = running[n % 6]
        headers = {"if-match": "*"}
        path = f"/v1/experiments/{one['key']}"
        return api.patch(path, json={"name": f"n{n}"}, headers=headers).status_code

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(grow, range(60)))
    assert {status for n, status in enumerate(answers) if n % 4} == {200}
    assert {status for n, status in enumerate(answers) if n % 4 == 0} <= {200, 409}
    for one in running:
        versions = [message.version for message in messages(postgres, one["id"])]
        assert versions == list(range(1, len(versions) + 1))


@pytest.mark.parametrize("share", [-1, 10_001, "1", 1.5, None])
def test_a_holdout_s_share_is_basis_points(api: httpx.Client, share: object) -> None:
    answer = api.post("/v1/holdouts", json={"key": f"h-{uuid4()}", "share": share})
    assert answer.status_code == 422
    assert answer.json()["field"] == "share"
