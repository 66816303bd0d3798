"""The API's own log: a line for each refused request, and nothing for one that is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.integration.api.access.conftest import Cache
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.fleet import running_api, wait_until


def lines_of(folder: Path) -> list[dict[str, Any]]:
    (log,) = folder.glob("api-*.log")
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_each_refused_request_is_one_line_without_a_person_in_it(
    postgres: Server, valkey: Cache, tmp_path: Path
) -> None:
    event = {"user_id": "ada", "event_type": "visit", "properties": {"email": "ada@example.org"}}
    with running_api(postgres, tmp_path, valkey=valkey.url) as api:
        assert api.get("/v1/experiments").is_success
        assert api.post("/v1/events", json=event).is_success
        before = len(lines_of(tmp_path))

        api.get("/v1/experiments", headers={"authorization": ""})
        api.post("/v1/events", json=event, headers={"authorization": "Bearer ada-wrong"})
        api.post("/v1/events", json={"user_id": "ada", "event_type": 7})
        api.post("/v1/assignments", json={"user_id": "ada", "experiment": "ada-nothing"})
        api.get("/v1/experiments/ada-nothing")
        api.post("/v1/experiments", json={"key": "ada", "unknown": 1})
        api.get("/v1/usres/ada")
        api.delete("/v1/experiments")
        api.get("/v1/experiments/%00ada")
        wait_until(
            lambda: len(lines_of(tmp_path)) - before >= 9, "every refusal has its line"
        )  # after its answer
        found = lines_of(tmp_path)[before:]

    assert [(line["method"], line["route"], line["status"], line["code"]) for line in found] == [
        ("GET", "/v1/experiments", 401, "missing_token"),
        ("POST", "/v1/events", 401, "invalid_token"),
        ("POST", "/v1/events", 422, "all_rejected"),
        ("POST", "/v1/assignments", 404, "unknown_experiment"),
        ("GET", "/v1/experiments/{key}", 404, "not_found"),
        ("POST", "/v1/experiments", 422, found[5]["code"]),
        ("GET", "/v1/… (no such path)", 404, "not_found"),
        ("DELETE", "/v1/experiments", 405, "method_not_allowed"),
        ("GET", "/v1/… (no such path)", 400, "nul_character"),
    ]
    assert "unknown" in found[5]["fields"]
    assert [line["token"] for line in found[:2]] == [None, None]
    assert isinstance(found[3]["token"], int)
    assert all(line["request_id"] and line["milliseconds"] >= 0 for line in found)
    text = json.dumps(found)
    assert "ada" not in text
    assert TOKEN not in text


def test_a_flood_of_refusals_is_counted(postgres: Server, valkey: Cache, tmp_path: Path) -> None:
    with running_api(postgres, tmp_path, valkey=valkey.url) as api:
        for _ in range(200):
            api.get("/v1/experiments", headers={"authorization": ""})
        wait_until(lambda: sum(told(lines_of(tmp_path))) == 200, "all are told or counted")
        written, _ = told(lines_of(tmp_path))

    assert written < 100


def told(lines: list[dict[str, Any]]) -> tuple[int, int]:
    """How many refusals have a line, and how many were counted."""
    ours = [line for line in lines if line.get("code") == "missing_token"]
    return (
        sum(line["event"] == "request_refused" for line in ours),
        sum(line["count"] for line in ours if line["event"] == "refusals_left_out"),
    )
