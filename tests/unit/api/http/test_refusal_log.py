"""What the log says of refused requests: enough to find the cause, nothing of a person, and never too much."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.http.problems import Problem
from api.http.refusal_log import Refusal, RefusalLog, unmatched


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refusal(status: int = 422, code: str = "invalid", **problem: Any) -> Refusal:
    told = Problem(status, code, "in words", **problem)
    return Refusal("POST", "/v1/experiments/{key}", status, "id-1", 0.0123, token=7, problem=told)


def written(*refusals: Refusal) -> list[Mapping[str, Any]]:
    with capture_logs() as lines:
        log = RefusalLog(Clock())
        for one in refusals:
            log.note(one)
    return lines


def test_a_line_says_what_was_refused_and_why() -> None:
    errors = [{"field": "variants", "code": "control_count"}, {"field": "key", "code": "too_long"}]

    (line,) = written(refusal(code="control_count", members={"errors": errors}))

    assert line == {
        "event": "request_refused", "log_level": "info", "method": "POST", "route": "/v1/experiments/{key}",
        "status": 422, "code": "control_count", "codes": ["control_count", "too_long"],
        "fields": ["variants", "key"], "token": 7, "request_id": "id-1", "milliseconds": 12.3,
    }  # fmt: skip


def test_a_failure_is_an_error() -> None:
    (line,) = written(refusal(503, "unavailable"))

    assert (line["event"], line["log_level"], line["fields"]) == ("request_failed", "error", [])


def test_a_batch_of_which_everything_was_rejected_names_the_rules() -> None:
    items = [
        {"index": 0, "status": "rejected", "code": "unknown_metric", "field": "properties.ada@example.org"}
    ] * 3
    body = json.dumps({"accepted": 0, "items": items, "message": "ada"}).encode()

    (line,) = written(Refusal("POST", "/v1/events", 422, "id", 0.0, body=body))

    assert (line["code"], line["codes"], line["fields"]) == (
        "all_rejected",
        ["unknown_metric"],
        ["properties.…"],
    )
    assert "ada" not in str(line)


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("properties", "properties"),
        ("properties.email", "properties.…"),
        ("events.3.properties.a.b", "events.3.properties.…"),
        ("attributes.name", "attributes.…"),
        ("x" * 1000, "x" * 60 + "…"),
    ],
)
def test_a_callers_own_names_are_left_out(field: str, shown: str) -> None:
    (line,) = written(refusal(field=field))

    assert line["fields"] == [shown]


def test_a_flood_is_counted_and_told_once() -> None:
    clock = Clock()
    log = RefusalLog(clock)
    with capture_logs() as lines:
        for _ in range(1000):
            log.note(refusal(401, "missing_token"))
        clock.now += 1
        log.note(refusal(401, "missing_token"))

    assert [line["event"] for line in lines] == [
        *["request_refused"] * 5,
        "refusals_left_out",
        "request_refused",
    ]
    assert (lines[5]["code"], lines[5]["count"]) == ("missing_token", 995)


def test_a_rare_refusal_is_seen_beside_a_flood() -> None:
    lines = written(*[refusal(401, "missing_token")] * 100, refusal(409, "illegal_step"))

    assert lines[-1]["code"] == "illegal_step"


def test_many_kinds_at_once_have_a_bound_too() -> None:
    assert len(written(*[refusal(422, f"code-{n}") for n in range(500)])) == 50


def test_what_was_left_out_is_told_though_no_other_request_comes() -> None:
    async def flood() -> None:
        log = RefusalLog()
        for _ in range(7):
            log.note(refusal())
        async with asyncio.timeout(10):
            while not any(line["event"] == "refusals_left_out" for line in lines):  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # between two looks

    with capture_logs() as lines:
        asyncio.run(flood())

    assert lines[-1]["count"] == 2


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/usres/ada@example.org", "/v1/… (no such path)"),
        ("/ada@example.org", "no such path"),
        ("/", "no such path"),
    ],
)
def test_a_path_that_leads_nowhere_names_nobody(path: str, shown: str) -> None:
    assert unmatched(path) == shown
