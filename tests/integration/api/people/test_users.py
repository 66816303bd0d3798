"""Attributes and export over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.integration.api.people.conftest import Place
from tests.integration.api.people.test_erasure import assign, new_experiment, send


def path(user: str) -> str:
    return f"/v1/users/{quote(user, safe='')}"


def put(api: httpx.Client, user: str, attributes: dict[str, Any], **params: str) -> httpx.Response:
    return api.put(path(user), json={"attributes": attributes}, params=params)


def test_attributes_are_put_and_patched(place: Place) -> None:
    user = f"person-{uuid4()}"
    assert place.api.get(path(user)).status_code == 404
    first = put(place.api, user, {"country": "DE", "plan": {"name": "pro", "seats": 3}})
    assert first.status_code == 201
    assert put(place.api, user, {"country": "IS", "plan": {"name": "pro", "seats": 3}}).status_code == 200
    changes = {"attributes": {"country": None, "plan": {"seats": 4}, "beta": True}}
    patched = place.api.patch(path(user), json=changes)

    expected = {"plan": {"name": "pro", "seats": 4}, "beta": True}
    assert (patched.status_code, patched.json()["attributes"]) == (200, expected)
    read = place.api.get(path(user)).json()
    assert read == patched.json()
    assert (read["user_id"], read["unit_type"]) == (user, "user")
    assert read["created_at"] == first.json()["created_at"]


def test_units_of_several_types_may_share_an_id(place: Place) -> None:
    unit = f"unit-{uuid4()}"
    put(place.api, unit, {"kind": "person"})
    put(place.api, unit, {"kind": "phone"}, unit_type="device")
    assert place.api.get(path(unit)).json()["attributes"] == {"kind": "person"}
    device = place.api.get(path(unit), params={"unit_type": "device"}).json()
    assert (device["attributes"], device["unit_type"]) == ({"kind": "phone"}, "device")


@pytest.mark.parametrize(
    "user", ["a/b", "a/export", "export", "ä ö%2F?#", "a+b==", "mail@example.org", "x" * 256]
)
def test_an_id_may_hold_anything_that_is_no_control_character(place: Place, user: str) -> None:
    try:
        assert put(place.api, user, {"own": user}).json()["user_id"] == user
        assert place.api.get(path(user)).json()["attributes"] == {"own": user}
        export = place.api.get(f"{path(user)}/export").json()
        assert (export["user_id"], export["user"]["attributes"]) == (user, {"own": user})
    finally:
        assert place.api.delete(path(user)).status_code == 202
    assert place.api.get(path(user)).status_code == 404


@pytest.mark.parametrize(
    ("user", "params", "status"),
    [
        ("x" * 257, {}, 422),
        ("a%00b", {}, 400),
        ("a%0Ab", {}, 404),  # no path matches a line break
        ("a", {"unit_type": ""}, 422),
        ("a", {"unit_type": "x" * 257}, 422),
        ("a", {"unit_type": "a\x00"}, 400),
    ],
)
def test_ids_that_no_event_could_have_are_refused(
    place: Place, user: str, params: dict[str, str], status: int
) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = place.api.request(method, f"/v1/users/{user}", params=params, json={"attributes": {}})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    "body",
    [
        b'{"attributes": {"a": "\\u0000"}}',
        b'{"attributes": {"a": "\\ud800"}}',
        b'{"attributes": {"a": 9223372036854775808}}',
        b'{"attributes": {"a": NaN}}',
        b'{"attributes": {"a": 1e400}}',
        b'{"attributes": {"a": 1, "a": 2}}',
        b'{"attributes": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}",
        b'{"attributes": {"a": "' + b"x" * 40_000 + b'"}}',
        b'{"attributes": {}, "more": 1}',
        b'{"attributes": []}',
        b"{}",
        b"",
        b"[",
    ],
)
def test_bad_attributes_get_a_reason(place: Place, body: bytes) -> None:
    for method in ("PUT", "PATCH"):
        answer = place.api.request(
            method, "/v1/users/a", content=body, headers={"content-type": "application/json"}
        )
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["code"]


def test_a_patch_may_not_grow_attributes_past_their_limit(place: Place) -> None:
    user = f"person-{uuid4()}"
    put(place.api, user, {"a": "x" * 20_000})
    answer = place.api.patch(path(user), json={"attributes": {"b": "x" * 20_000}})
    assert (answer.status_code, answer.json()["code"]) == (422, "too_large")
    assert set(place.api.get(path(user)).json()["attributes"]) == {"a"}


def test_the_export_holds_everything_and_nothing_of_others(place: Place) -> None:
    user, other, experiment = f"person-{uuid4()}", f"person-{uuid4()}", new_experiment(place.api)
    with psycopg.connect(place.settings.postgres.dsn(), autocommit=True) as postgres:
        postgres.execute(
            "CREATE TABLE IF NOT EXISTS links (unit_type text, user_id text, account text, PRIMARY KEY (user_id))"
        )
        postgres.execute("INSERT INTO links VALUES ('user', %s, 'acme')", (user,))
    for person in (user, other):
        assign(place.api, experiment, person, attributes={"name": person})
        for number in range(5):
            send(place.api, person, properties={"number": number, "of": person})
    answer = place.api.get(f"{path(user)}/export")

    export = answer.json()
    assert answer.headers["content-disposition"].startswith("attachment")
    assert export["user"]["attributes"] == {"name": user}
    assert [row["variant_key"] in ("a", "b") for row in export["assignments"]] == [True]
    assert sorted(row["event_type"] for row in export["events"]) == ["exposure"] + ["purchase"] * 5
    assert {row["properties"]["number"] for row in export["events"] if row["properties"]} == set(range(5))
    assert export["links"] == [{"unit_type": "user", "user_id": user, "account": "acme"}]
    assert other not in answer.text

    # What the export finds, the erasure removes.
    assert place.api.delete(path(user)).status_code == 202
    gone = place.api.get(f"{path(user)}/export")
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert place.api.get(f"{path(other)}/export").json()["assignments"]


def test_a_long_export_is_whole(place: Place) -> None:
    user = f"person-{uuid4()}"
    for start in range(0, 5_000, 1_000):
        events = [
            {"user_id": user, "event_type": "visit", "properties": {"n": start + n, "text": "x" * 100}}
            for n in range(1_000)
        ]
        place.api.post("/v1/events", json=events).raise_for_status()
    export = place.api.get(f"{path(user)}/export").json()
    assert export["user"] is None
    assert {row["properties"]["n"] for row in export["events"]} == set(range(5_000))


def test_a_persons_events_are_found_by_the_index(place: Place) -> None:
    """Each partition has it, also those made later."""
    with psycopg.connect(place.settings.postgres.dsn()) as postgres:
        partitions, indexed = postgres.execute(
            """SELECT (SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass),
                      (SELECT count(*) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
                       WHERE i.inhparent = 'events_user'::regclass AND 'autosummarize=on' = ANY(c.reloptions))"""
        ).fetchone() or (0, 0)
        postgres.execute("SET LOCAL enable_seqscan = off")
        plan = postgres.execute(
            "EXPLAIN DELETE FROM events WHERE unit_type = 'user' AND user_id = 'a'"
        ).fetchall()
    assert partitions == indexed > 5
    assert "Bitmap Index Scan" in str(plan)
