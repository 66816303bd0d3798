"""Looks over HTTP: each is taken once, in order, by the platform alone, and kept as it was."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
from psycopg import errors

from neonblue.contract.looks import LookMessage
from tests.integration.api.conftest import Server
from tests.integration.api.life_cycle import Json, audited, draft, patch, refused, rows, started, step

METRIC = {"key": "m", "type": "proportion", "event_type": "e", "aggregation": "any"}
CELL: Json = {
    "metric_key": "m", "metric_version": 1, "variant_key": "b", "n_control": 500, "n_variant": 480,
    "information": 244.89795918367346, "share": 0.48, "spent": 0.00254,
}  # fmt: skip
FAR: Json = CELL | {
    "variant_key": "c", "z": -1e308, "p_value": 5e-324, "log10_p": -1.7976931348623157e308, "adjusted_p": 1e-300,
    "difference": 0.1 + 0.2, "lower": 1e-7, "upper": None, "level": 0.95, "rejected": True, "guardrail": "breached",
    "guardrail_bound": -0.0125, "guardrail_p": 1.0,
}  # fmt: skip
"""What doubles hold at their ends."""


def day(number: int) -> str:
    """The end of the number-th day, all of them over."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=30)
    return (midnight + timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def look(number: int, *cells: Json, **fields: Any) -> Json:
    neutral: Json = {
        "number": number, "closed_to": day(number), "configuration_version": 2, "inference": "group_sequential",
        "planned_units": 1_000, "alpha": 0.05, "cells": list(cells),
    }  # fmt: skip
    return neutral | fields


def running(api: httpx.Client, **fields: Any) -> Json:
    return started(api, **{"metrics": [METRIC], "planned_units": 1_000} | fields)


def take(api: httpx.Client, experiment: Json, body: Json, **headers: str) -> httpx.Response:
    return api.post(f"/v1/experiments/{experiment['key']}/looks", json=body, headers=headers)


def taken(api: httpx.Client, experiment: Json) -> list[Json]:
    answer = api.get(f"/v1/experiments/{experiment['key']}/looks")
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


def stored(postgres: Server, experiment: Json) -> list[tuple[Any, ...]]:
    statement = "SELECT number, planned_units FROM experiment_looks WHERE experiment_id = %s ORDER BY number"
    return rows(postgres, statement, experiment["id"])


def test_looks_are_kept_to_the_last_digit_and_listed_in_order(api: httpx.Client, postgres: Server) -> None:
    experiment = running(api)
    far = FAR | {"rejected_at": day(1)}
    answers = [
        take(api, experiment, look(1, CELL, far)),
        take(api, experiment, look(2, CELL | {"share": 0.9})),
    ]
    assert [answer.status_code for answer in answers] == [201, 201], answers[0].text
    listed = taken(api, experiment)
    assert listed == [answer.json() for answer in answers]
    first, second = [msgspec.convert(item, LookMessage, strict=False) for item in listed]
    assert (first.experiment, first.number, first.closed_to) == (experiment["key"], 1, day(1))
    assert [msgspec.to_builtins(cell) for cell in first.cells] == [
        msgspec.to_builtins(first.cells[0]) | CELL,
        msgspec.to_builtins(first.cells[1]) | far,
    ]
    assert (second.number, second.cells[0].share, second.planned_units) == (2, 0.9, 1_000)
    assert first.taken_at is not None
    assert second.taken_at is not None
    assert experiment["started_at"] < first.taken_at < second.taken_at
    assert audited(postgres, "experiment", experiment["key"]) == ["create", "start", "look", "look"]
    told = "SELECT after FROM audit_log WHERE action = 'look' AND object_id = %s ORDER BY id"
    assert rows(postgres, told, experiment["key"])[1][0]["closed_to"] == day(2)


def test_without_looks_the_list_is_empty_and_an_unknown_experiment_has_none(api: httpx.Client) -> None:
    assert taken(api, draft(api)) == []
    unknown = api.get("/v1/experiments/no-such/looks")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert take(api, {"key": "no-such"}, look(1)).status_code == 404


def test_of_twenty_that_take_the_same_look_at_once_one_does(api: httpx.Client, postgres: Server) -> None:
    experiment = running(api)
    bodies = [look(1, CELL | {"n_control": number}) for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda body: take(api, experiment, body), bodies))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert stored(postgres, experiment) == [(1, 1_000)]
    assert audited(postgres, "experiment", experiment["key"]).count("look") == 1


def test_of_two_different_looks_at_once_one_is_the_next(api: httpx.Client, postgres: Server) -> None:
    experiment = running(api)
    with ThreadPoolExecutor(8) as pool:
        bodies = [look(1, closed_to=day(number)) for number in range(1, 9)]
        answers = list(pool.map(lambda body: take(api, experiment, body), bodies))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert {answer.json()["last_number"] for answer in answers if answer.status_code == 409} == {1}
    assert stored(postgres, experiment) == [(1, 1_000)]


def test_the_first_look_up_to_a_time_stands_whatever_is_said_later(
    api: httpx.Client, postgres: Server
) -> None:
    experiment = running(api)
    first = take(api, experiment, look(1, CELL))
    take(api, experiment, look(2, CELL)).raise_for_status()
    for name in ("conclude", "archive"):
        again = take(api, experiment, look(7, CELL | {"spent": 0.05}, closed_to=day(1), planned_units=9))
        assert (again.status_code, again.json()) == (200, first.json())
        step(api, experiment["key"], name).raise_for_status()
    assert len(stored(postgres, experiment)) == 2


def test_a_repetition_with_an_idempotency_key_is_answered_as_the_first(api: httpx.Client) -> None:
    experiment = running(api)
    key = {"idempotency-key": experiment["key"]}
    answers = [take(api, experiment, look(1, CELL), **key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("number", [1, 3])
def test_a_look_out_of_turn_is_told_the_last_one(api: httpx.Client, number: int) -> None:
    experiment = running(api)
    take(api, experiment, look(1)).raise_for_status()
    answer = take(api, experiment, look(number, closed_to=day(3)))
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["last_number"]) == (409, "look_taken", 1)


def test_every_broken_rule_is_named_and_nothing_is_kept(api: httpx.Client, postgres: Server) -> None:
    experiment = running(api)
    take(api, experiment, look(1, CELL)).raise_for_status()
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    cells = [CELL | {"share": 0.2, "variant_key": "b"}, CELL | {"metric_key": "x", "variant_key": "a"}]
    body = look(2, *cells, closed_to=ahead, planned_units=2_000, configuration_version=9)
    answer = take(api, experiment, body)
    assert answer.status_code == 422
    assert refused(answer) == {
        "closed_to": "in_future", "planned_units": "frozen", "configuration_version": "value_out_of_range",
        "cells.0.share": "may_only_grow", "cells.1.metric_key": "unknown_metric",
        "cells.1.variant_key": "unknown_variant",
    }  # fmt: skip
    early = take(api, experiment, look(2, closed_to=day(0)))
    assert (early.status_code, refused(early)) == (422, {"closed_to": "dates_order"})
    other = take(api, experiment, look(2, inference="confidence_sequence"))
    assert (other.status_code, refused(other)) == (422, {"inference": "frozen"})
    assert len(stored(postgres, experiment)) == 1


BAD: dict[str, tuple[Json, dict[str, str]]] = {
    "unknown field": ({"experiment": "e"}, {"experiment": "unknown_field"}),
    "number nought": ({"number": 0}, {"number": "value_out_of_range"}),
    "number as a text": ({"number": "1"}, {"number": "wrong_type"}),
    "no zone": ({"closed_to": "2026-03-01T00:00:00"}, {"closed_to": "invalid_timestamp"}),
    "a number for a time": ({"closed_to": 5}, {"closed_to": "invalid_timestamp"}),
    "alpha one": ({"alpha": 1}, {"alpha": "value_out_of_range"}),
    "another inference": ({"inference": "bayes"}, {"inference": "invalid"}),
    "a p past one": ({"cells": [CELL | {"p_value": 1.01}]}, {"cells.0.p_value": "value_out_of_range"}),
    "negative units": ({"cells": [CELL | {"n_control": -1}]}, {"cells.0.n_control": "value_out_of_range"}),
    "no share": ({"cells": [{**CELL, "share": None}]}, {"cells.0.share": "wrong_type"}),
    "past all doubles": ({"cells": [CELL | {"z": 10**400}]}, {"cells.0.z": "value_out_of_range"}),
}


@pytest.mark.parametrize("name", BAD)
def test_a_body_that_is_no_look_names_field_and_rule(api: httpx.Client, name: str) -> None:
    change, broken = BAD[name]
    answer = take(api, running(api), look(1) | change)
    assert (answer.status_code, refused(answer)) == (422, broken)


def test_no_number_is_infinite_or_none_at_all(api: httpx.Client) -> None:
    experiment = running(api)
    path = f"/v1/experiments/{experiment['key']}/looks"
    for number in ("1e999", "NaN", "-Infinity"):
        text = msgspec.json.encode(look(1, CELL | {"z": 0.125})).decode().replace("0.125", number)
        answer = api.post(path, content=text, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), answer.text
    assert taken(api, experiment) == []


STATES = {
    "draft": ([], 409),
    "scheduled": (["schedule"], 409),
    "running": (["start"], 201),
    "paused": (["start", "pause"], 201),
    "concluded": (["start", "conclude"], 201),
    "archived": (["start", "conclude", "archive"], 409),
}


@pytest.mark.parametrize("status", STATES)
def test_looks_are_taken_at_what_runs_is_paused_or_concluded(
    api: httpx.Client, postgres: Server, status: str
) -> None:
    steps, expected = STATES[status]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    experiment = draft(api, metrics=[METRIC], planned_units=1_000, scheduled_start_at=tomorrow)
    for name in steps:
        step(api, experiment["key"], name).raise_for_status()
    answer = take(api, experiment, look(1, CELL, configuration_version=1))
    assert answer.status_code == expected, answer.text
    if expected == 409:
        assert answer.json()["code"] == "not_started"
    assert len(stored(postgres, experiment)) == (expected == 201)


def test_under_a_confidence_sequence_looks_have_no_plan(api: httpx.Client) -> None:
    experiment = running(api, planned_units=None)
    body = look(1, CELL | {"share": 0.0}, inference="confidence_sequence", planned_units=None)
    assert take(api, experiment, body).status_code == 201


@pytest.mark.parametrize("scope", ["editor", "viewer", "ingest", "assign"])
def test_who_may_edit_an_experiment_can_not_write_what_it_found(
    api: httpx.Client, postgres: Server, scope: str
) -> None:
    experiment = running(api)
    token = api.post("/v1/tokens", json={"name": scope, "scopes": [scope]}).json()["secret"]
    answer = take(api, experiment, look(1, CELL), authorization=f"Bearer {token}")
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert stored(postgres, experiment) == []


def test_a_viewer_reads_looks(api: httpx.Client) -> None:
    experiment = running(api)
    take(api, experiment, look(1, CELL)).raise_for_status()
    token = api.post("/v1/tokens", json={"name": "v", "scopes": ["viewer"]}).json()["secret"]
    path = f"/v1/experiments/{experiment['key']}/looks"
    assert len(api.get(path, headers={"authorization": f"Bearer {token}"}).json()["items"]) == 1


@pytest.mark.parametrize(
    "statement",
    ["UPDATE experiment_looks SET cells = '[]'", "DELETE FROM experiment_looks", "TRUNCATE experiment_looks"],
)
def test_no_look_is_changed_or_removed(api: httpx.Client, postgres: Server, statement: str) -> None:
    take(api, running(api), look(1, CELL)).raise_for_status()
    with psycopg.connect(postgres.dsn) as connection, pytest.raises(errors.RestrictViolation):
        connection.execute(statement.encode())


def test_the_planned_size_moves_until_the_first_look_and_never_after(
    api: httpx.Client, postgres: Server
) -> None:
    experiment = patch(api, running(api), {"planned_units": 500}).json()
    experiment = patch(api, experiment, {"planned_units": 2_000}).json()
    assert refused(take(api, experiment, look(1, CELL))) == {"planned_units": "frozen"}
    take(api, experiment, look(1, CELL, planned_units=2_000)).raise_for_status()
    for size in (1_999, 2_001, None):
        answer = patch(api, experiment, {"planned_units": size, "name": "n"})
        assert (answer.status_code, refused(answer)) == (409, {"planned_units": "frozen"})
        assert "look" in answer.json()["detail"]
    changed = patch(api, experiment, {"planned_units": 2_000, "planned_days": 3, "allocation": 10_000})
    assert (changed.status_code, changed.json()["planned_days"]) == (200, 3)
    assert stored(postgres, experiment) == [(1, 2_000)]


def test_a_confidence_sequence_is_given_no_size_after_its_first_look(api: httpx.Client) -> None:
    experiment = running(api, planned_units=None)
    body = look(1, inference="confidence_sequence", planned_units=None)
    take(api, experiment, body).raise_for_status()
    assert refused(patch(api, experiment, {"planned_units": 5})) == {"planned_units": "frozen"}


@pytest.mark.parametrize("looks_first", [True, False])
def test_a_look_and_a_change_of_the_size_wait_for_each_other(
    api: httpx.Client, postgres: Server, looks_first: bool
) -> None:
    """Both are under way while another transaction holds the experiment; whichever comes first, they agree."""
    experiment = running(api)

    def change() -> httpx.Response:
        return patch(api, experiment, {"planned_units": 3_000})

    def observe() -> httpx.Response:
        return take(api, experiment, look(1, CELL))

    first, second = (observe, change) if looks_first else (change, observe)
    with ThreadPoolExecutor(2) as pool, psycopg.connect(postgres.dsn) as holder:
        holder.execute("SELECT FROM experiments WHERE id = %s FOR UPDATE", (experiment["id"],))
        answers = []
        for waiting, call in enumerate((first, second), start=1):
            answers.append(pool.submit(call))
            _wait_for_waiting(postgres, waiting)
        holder.rollback()
        statuses = [answer.result().status_code for answer in answers]
    size = api.get(f"/v1/experiments/{experiment['key']}").json()["planned_units"]
    if looks_first:
        assert (statuses, size, stored(postgres, experiment)) == ([201, 409], 1_000, [(1, 1_000)])
    else:
        assert (statuses, size, stored(postgres, experiment)) == ([200, 422], 3_000, [])


def _wait_for_waiting(server: Server, wanted: int) -> None:
    """Until so many transactions wait for a lock."""
    deadline = time.monotonic() + 20
    statement = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    while rows(server, statement)[0][0] < wanted:
        assert time.monotonic() < deadline, f"{wanted} do not wait"
