"""The life cycle over HTTP: steps, what each leaves behind, and what is due."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.api.conftest import Server
from tests.integration.api.life_cycle import (
    audited,
    draft,
    messages,
    patch,
    refused,
    rows,
    started,
    step,
)

SHIP = {"outcome": "ship", "variant_key": "b", "reason": "more people finish"}


def _later(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


def test_the_whole_life_leaves_a_version_a_message_and_an_entry_for_each_step(
    api: httpx.Client, postgres: Server
) -> None:
    made = draft(api, scheduled_start_at=_later(days=1), planned_units=1_000)
    key = made["key"]
    seen = [made["status"]]
    for name, body in [
        ("schedule", None), ("unschedule", {"reason": "not yet"}), ("schedule", None), ("start", None),
        ("pause", {"reason": "arm b fails"}), ("resume", None), ("conclude", SHIP), ("archive", None),
    ]:  # fmt: skip
        answer = step(api, key, name, body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
        seen.append(answer.json()["status"])
    assert seen == [
        "draft", "scheduled", "draft", "scheduled", "running", "paused", "running", "concluded", "archived",
    ]  # fmt: skip
    assert [message.status for message in messages(postgres, made["id"])] == seen
    assert [message.version for message in messages(postgres, made["id"])] == list(range(1, 10))
    actions = [
        "create", "schedule", "unschedule", "schedule", "start", "pause", "resume", "conclude", "archive",
    ]  # fmt: skip
    assert audited(postgres, "experiment", key) == actions
    history = api.get(f"/v1/experiments/{key}/versions").json()["items"]
    assert [item["action"] for item in reversed(history)] == actions
    assert {item["version"]: item["reason"] for item in history if item["reason"]} == {
        3: "not yet", 6: "arm b fails", 8: SHIP["reason"],
    }  # fmt: skip
    assert history[3]["difference"] == {"status": {"before": "running", "after": "paused"}}
    assert all(item["created_by"].startswith("token:") and item["created_at"] for item in history)


def test_the_last_message_carries_the_decision_and_the_frozen_inference(
    api: httpx.Client, postgres: Server
) -> None:
    sized, unsized = started(api, planned_units=500), started(api)
    assert (sized["inference"], unsized["inference"]) == ("group_sequential", "confidence_sequence")
    assert patch(api, unsized, {"planned_units": 9}).json()["inference"] == "confidence_sequence"
    step(api, sized["key"], "conclude", SHIP).raise_for_status()
    last = messages(postgres, sized["id"])[-1]
    assert last.decision is not None
    assert (last.decision.outcome, last.decision.variant_key) == ("ship", "b")
    assert last.decision.decided_by is not None
    assert last.decision.decided_by.startswith("token:")
    assert last.decision.decided_at is not None
    assert last.decision.decided_at <= last.received_at
    assert (last.inference, last.planned_units) == ("group_sequential", 500)
    assert last.started_at is not None
    assert last.concluded_at is not None


LEGAL = {
    "draft": ["schedule", "start"],
    "scheduled": ["start", "unschedule"],
    "running": ["pause", "roll_back", "conclude"],
    "paused": ["resume", "roll_back", "conclude"],
    "concluded": ["archive"],
    "archived": [],
}
WAY: dict[str, list[str]] = {
    "draft": [],
    "scheduled": ["schedule"],
    "running": ["start"],
    "paused": ["start", "pause"],
    "concluded": ["start", "conclude"],
    "archived": ["start", "conclude", "archive"],
}


@pytest.mark.parametrize("status", LEGAL)
def test_an_illegal_step_is_a_conflict_that_names_the_legal_ones(
    api: httpx.Client, postgres: Server, status: str
) -> None:
    made = draft(api, scheduled_start_at=_later(days=1))
    for name in WAY[status]:
        step(api, made["key"], name).raise_for_status()
    before = rows(postgres, "SELECT version FROM experiments WHERE id = %s", made["id"])
    steps = ["schedule", "unschedule", "start", "pause", "roll_back", "resume", "conclude", "archive"]
    for name in steps:
        if name not in LEGAL[status]:
            answer = step(api, made["key"], name)
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (409, "illegal_step")
            assert (problem["experiment_status"], problem["legal_steps"]) == (status, LEGAL[status])
    assert rows(postgres, "SELECT version FROM experiments WHERE id = %s", made["id"]) == before


def test_a_step_may_name_the_state_it_was_decided_on(api: httpx.Client) -> None:
    made = draft(api)
    answer = step(api, made["key"], "start", **{"if-match": '"7"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "changed_meanwhile")
    assert step(api, made["key"], "start", **{"if-match": '"1"'}).status_code == 200


def test_concurrent_starts_start_once(api: httpx.Client, postgres: Server) -> None:
    made = draft(api)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: step(api, made["key"], "start").status_code, range(10)))
    assert sorted(answers) == [200] + [409] * 9
    assert [message.status for message in messages(postgres, made["id"])] == ["draft", "running"]


def test_scheduling_needs_a_start_that_is_to_come(api: httpx.Client) -> None:
    for fields in ({}, {"scheduled_start_at": _later(days=-1)}):
        answer = step(api, draft(api, **fields)["key"], "schedule")
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["field"]) == (
            409,
            "not_ready",
            "scheduled_start_at",
        )


def test_what_should_have_stopped_already_does_not_start(api: httpx.Client) -> None:
    answer = step(api, draft(api, scheduled_stop_at=_later(days=-1))["key"], "start")
    assert (answer.status_code, answer.json()["field"]) == (409, "scheduled_stop_at")


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"outcome": "ship", "reason": "x"}, "variant_key", "invalid"),
        ({"outcome": "roll_back", "variant_key": "b", "reason": "x"}, "variant_key", "invalid"),
        ({"outcome": "ship", "variant_key": "a", "reason": "x"}, "variant_key", "unknown_variant"),
        ({"outcome": "ship", "variant_key": "z", "reason": "x"}, "variant_key", "unknown_variant"),
        ({"outcome": "inconclusive"}, "reason", "missing_field"),
        ({"outcome": "perhaps", "reason": "x"}, "outcome", "invalid"),
    ],
)
def test_a_senseless_decision_concludes_nothing(
    api: httpx.Client, body: dict[str, str], field: str, code: str
) -> None:
    running = started(api)
    answer = step(api, running["key"], "conclude", body)
    assert answer.status_code == 422
    assert refused(answer) == {field: code}
    assert api.get(f"/v1/experiments/{running['key']}").json()["status"] == "running"


def test_a_decision_can_follow_the_conclusion(api: httpx.Client, postgres: Server) -> None:
    running = started(api)
    early = patch(api, running, {"decision": SHIP})
    assert (early.status_code, refused(early)) == (409, {"decision": "decision_early"})
    concluded = step(api, running["key"], "conclude").json()
    assert concluded["decision"] is None
    decided = patch(api, concluded, {"decision": SHIP}).json()
    assert decided["decision"] == SHIP | {
        "decided_by": decided["decision"]["decided_by"],
        "decided_at": decided["decision"]["decided_at"],
    }
    assert decided["decision"]["decided_by"].startswith("token:")
    assert patch(api, decided, {"decision": SHIP}).json() == decided
    decision = messages(postgres, running["id"])[-1].decision
    assert decision is not None
    assert decision.reason == SHIP["reason"]


def _make_due(server: Server, key: str, **columns: str) -> None:
    """Move a scheduled time into the past, as waiting would."""
    for name, interval in columns.items():
        statement = f"UPDATE experiments SET {name} = now() - %s::interval WHERE key = %s RETURNING id"
        assert rows(server, statement, interval, key)


def _due(api: httpx.Client, *keys: str) -> list[tuple[str, str, str | None]]:
    answer = api.post("/v1/experiments/due")
    assert answer.status_code == 200, answer.text
    return [
        (item["step"], item["status"], item["code"]) for item in answer.json()["items"] if item["key"] in keys
    ]


def test_what_is_due_is_done_once(api: httpx.Client, postgres: Server) -> None:
    made = draft(api, scheduled_start_at=_later(days=1), scheduled_stop_at=_later(days=2))
    key = made["key"]
    step(api, key, "schedule").raise_for_status()
    assert _due(api, key) == []
    _make_due(postgres, key, scheduled_start_at="1 second")
    with ThreadPoolExecutor(5) as pool:
        done = [item for answer in pool.map(lambda _: _due(api, key), range(5)) for item in answer]
    assert done == [("start", "running", None)]
    step(api, key, "pause").raise_for_status()
    _make_due(postgres, key, scheduled_start_at="2 seconds", scheduled_stop_at="1 second")
    assert _due(api, key) == [("conclude", "concluded", None)]
    assert _due(api, key) == []
    history = api.get(f"/v1/experiments/{key}/versions").json()["items"]
    assert history[0]["reason"] == "its scheduled time had come"
    assert [message.status for message in messages(postgres, made["id"])] == [
        "draft", "scheduled", "running", "paused", "concluded",
    ]  # fmt: skip


def test_what_missed_its_whole_time_becomes_a_draft_again(api: httpx.Client, postgres: Server) -> None:
    made = draft(api, scheduled_start_at=_later(days=1), scheduled_stop_at=_later(days=2))
    step(api, made["key"], "schedule").raise_for_status()
    _make_due(postgres, made["key"], scheduled_start_at="2 seconds", scheduled_stop_at="1 second")
    assert _due(api, made["key"]) == [("unschedule", "draft", None)]


def test_a_deleted_draft_is_gone_and_told_as_archived(api: httpx.Client, postgres: Server) -> None:
    made = draft(api)
    path = f"/v1/experiments/{made['key']}"
    api.put(f"{path}/forced-variants", json={"user_id": "t", "variant_key": "b"}).raise_for_status()
    assert api.delete(path, headers={"if-match": '"1"'}).status_code == 412
    assert api.delete(path, headers={"if-match": '"2"'}).status_code == 204
    assert api.get(path).status_code == 404
    assert api.delete(path).status_code == 404
    assert [message.status for message in messages(postgres, made["id"])] == ["draft", "draft", "archived"]
    assert [message.version for message in messages(postgres, made["id"])] == [1, 2, 3]
    assert audited(postgres, "experiment", made["key"])[-1] == "delete"
    assert draft(api, key=made["key"])["id"] != made["id"]


def test_what_ran_can_not_be_deleted(api: httpx.Client) -> None:
    answer = api.delete(f"/v1/experiments/{started(api)['key']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_a_draft")


@pytest.mark.parametrize("path", ["", "/versions", "/forced-variants"])
def test_what_there_is_not_is_not_found(api: httpx.Client, path: str) -> None:
    assert api.get(f"/v1/experiments/none{path}").json()["code"] == "not_found"
    assert step(api, "none", "start").status_code == 404


def test_lists_find_by_status_tag_owner_layer_and_text(api: httpx.Client) -> None:
    mark = draft(api)["key"][2:10]
    layer = f"layer-{mark}"
    api.post("/v1/layers", json={"key": layer}).raise_for_status()
    fields: list[dict[str, Any]] = [
        {"tags": [f"{mark}-x", "y"]}, {"owner": f"owner {mark}"}, {"layer": {"key": layer, "share": 100}},
        {"hypothesis": f"50%_of {mark.upper()}"},
    ]  # fmt: skip
    keys = [draft(api, **each)["key"] for each in fields]
    step(api, keys[3], "start").raise_for_status()

    def found(**params: Any) -> list[str]:
        answer = api.get("/v1/experiments", params=params)
        assert answer.status_code == 200, answer.text
        return [item["key"] for item in answer.json()["items"]]

    assert found(tag=f"{mark}-x") == [keys[0]]
    assert found(owner=f"owner {mark}") == [keys[1]]
    assert found(layer=layer) == [keys[2]]
    assert found(text=f"50%_OF {mark}") == [keys[3]]
    assert found(text=f"50__of {mark}") == []
    assert found(text=mark, status="running") == [keys[3]]
    assert found(text=mark, status=["draft", "paused"]) == found(text=mark, status="draft")
    assert found(tag="none at all") == found(layer="none-at-all") == []


@pytest.mark.parametrize(
    "params",
    [{"cursor": "x"}, {"status": "lost"}, {"limit": 0}, {"owner": ""}, {"tag": "a,b"}, {"layer": "a b"}],
)
def test_a_bad_filter_is_refused(api: httpx.Client, params: dict[str, Any]) -> None:
    answer = api.get("/v1/experiments", params=params)
    assert answer.status_code == 422
    assert next(iter(params)) in answer.json()["field"]


def test_no_filter_holds_a_nul_character(api: httpx.Client) -> None:
    answer = api.get("/v1/experiments", params={"text": "a\x00"})
    assert (answer.status_code, answer.json()["code"]) == (400, "nul_character")
