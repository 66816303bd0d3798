"""The audit log has who read a person, who logged in and out; and what it can't hold is not given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.erasures.repository import delete_late
from api.identity.pseudonyms import pseudonym
from api.postgres.database import connect
from api.users.repository import Person
from tests.integration.api.access.conftest import TokenMaker, bearer, code
from tests.integration.api.access.test_audit import verify
from tests.integration.api.access.test_sessions import browser, log_in
from tests.integration.api.conftest import Server
from tests.integration.api.test_durability import query

REFUSING = """
CREATE FUNCTION audit_out_of_order() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'out of order'; END $$;
CREATE TRIGGER audit_out_of_order BEFORE INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_out_of_order();
"""
MENDED = "DROP TRIGGER audit_out_of_order ON audit_log; DROP FUNCTION audit_out_of_order;"


@pytest.fixture
def person(whole_api: httpx.Client) -> str:
    """Someone with attributes."""
    user = f"reader-{uuid4().hex}"
    whole_api.put(f"/v1/users/{user}", json={"attributes": {"plan": "pro"}}).raise_for_status()
    return user


@contextmanager
def unwritable(postgres: Server) -> Iterator[None]:
    """No entry can be written meanwhile."""
    query(postgres, REFUSING)
    try:
        yield
    finally:
        query(postgres, MENDED)


def entries(api: httpx.Client, **wanted: str) -> list[dict[str, Any]]:
    """The audit log's entries, oldest first."""
    found: list[dict[str, Any]] = api.get("/v1/audit", params=wanted).raise_for_status().json()["items"]
    return found[::-1]


@pytest.mark.parametrize(
    ("path", "params", "action", "what"),
    [
        ("/v1/users/{}", {}, "read", "attributes"),
        ("/v1/users/{}/export", {}, "export", "everything"),
        ("/v1/users/x%2Fexport", {}, "read", "attributes"),
        ("/v1/users/{}/assignments", {"unit_type": "user"}, "read", "assignments"),
        ("/v1/assignments", {"user_id": "{}"}, "read", "assignments"),
    ],
)
def test_reading_a_person_says_who_from_where_in_which_request(
    whole_api: httpx.Client,
    postgres: Server,
    person: str,
    path: str,
    params: dict[str, str],
    action: str,
    what: str,
) -> None:
    user = "x/export" if "x%2F" in path else person
    whole_api.put(f"/v1/users/{user.replace('/', '%2F')}", json={"attributes": {"plan": "pro"}})
    query(
        postgres,
        "INSERT INTO user_links VALUES ('user', %s, 'someone', now()) ON CONFLICT DO NOTHING",
        person,
    )
    request = f"r-{uuid4()}"
    headers = {"x-request-id": request, "x-forwarded-for": "203.0.113.9"}

    answer = whole_api.get(
        path.format(person),
        params={name: value.format(person) for name, value in params.items()},
        headers=headers,
    )

    assert answer.status_code == 200
    entry, *linked = entries(whole_api, request_id=request)
    assert len(linked) == (path == "/v1/users/{}/assignments")  # whose person it is
    assert (entry["action"], entry["object_type"], entry["after"]) == (action, "user", {"what": what})
    assert entry["actor"].startswith("token:")
    assert entry["actor"].endswith(":bootstrap")
    assert entry["address"] in ("203.0.113.9", "127.0.0.1")  # by whether a proxy here is believed
    assert len(entry["object_id"]) == 64
    assert user not in json.dumps(entry)
    assert entry["id"] in [one["id"] for one in entries(whole_api, user_id=user)]


def test_who_read_a_person_is_found_by_the_persons_id(whole_api: httpx.Client, person: str) -> None:
    whole_api.get(f"/v1/users/{person}").raise_for_status()
    whole_api.get(f"/v1/users/{person}/export").raise_for_status()

    assert [one["action"] for one in entries(whole_api, user_id=person)] == [
        "set_attributes",
        "read",
        "export",
    ]
    assert [one["action"] for one in entries(whole_api, user_id=person, action="read")] == ["read"]
    assert entries(whole_api, user_id=person, unit_type="device") == []
    assert entries(whole_api, user_id="nobody") == []
    assert entries(whole_api, user_id=person, object_type="token") == []


@pytest.mark.parametrize(
    "path",
    ["/v1/users/{}", "/v1/users/{}/export", "/v1/users/{}/assignments", "/v1/assignments?user_id={}"],
)
def test_asking_for_nobody_keeps_nothing_of_the_id(
    whole_api: httpx.Client, postgres: Server, path: str
) -> None:
    nobody = f"nobody-{uuid4().hex}"
    request = {"x-request-id": f"r-{uuid4()}"}

    assert whole_api.get(path.format(nobody), headers=request).status_code in (200, 404)

    assert query(postgres, "SELECT 1 FROM person_keys WHERE user_id = %s", nobody) == []
    assert entries(whole_api, request_id=request["x-request-id"]) == []


@pytest.mark.parametrize(
    "path",
    ["/v1/users/{}", "/v1/users/{}/export", "/v1/users/{}/assignments", "/v1/assignments?user_id={}"],
)
def test_without_an_entry_nothing_of_a_person_is_told(
    whole_api: httpx.Client, postgres: Server, person: str, path: str
) -> None:
    query(postgres, "INSERT INTO user_links VALUES ('user', %s, 'someone-else', now())", person)
    with unwritable(postgres):
        answer = whole_api.get(path.format(person))
    assert code(answer) == (503, "unavailable")
    assert "pro" not in answer.text.replace("problem", "")
    assert "someone-else" not in answer.text
    assert whole_api.get(path.format(person)).status_code == 200
    assert verify(postgres.dsn)[0] == 0


def test_without_an_entry_nobody_logs_in(
    whole_api: httpx.Client, postgres: Server, make_token: TokenMaker
) -> None:
    secret = make_token("viewer")
    with browser(whole_api) as client:
        with unwritable(postgres):
            answer = log_in(client, secret)
        assert code(answer) == (503, "unavailable")
        assert "set-cookie" not in answer.headers


def test_an_erased_persons_entries_lead_to_nobody(
    whole_api: httpx.Client, postgres: Server, person: str
) -> None:
    request = {"x-request-id": f"r-{uuid4()}"}
    whole_api.get(f"/v1/users/{person}/export", headers=request).raise_for_status()

    assert whole_api.delete(f"/v1/users/{person}").status_code == 202

    assert query(postgres, "SELECT 1 FROM person_keys WHERE user_id = %s", person) == []
    assert entries(whole_api, user_id=person) == []
    (kept,) = entries(whole_api, request_id=request["x-request-id"])
    assert kept["action"] == "export"
    assert query(postgres, "SELECT 1 FROM audit_log WHERE strpos(audit_log::text, %s) > 0", person) == []
    assert verify(postgres.dsn)[0] == 0


@pytest.mark.parametrize("changed", [False, True])
def test_a_read_after_an_erasure_does_not_make_the_person_known_anew(postgres: Server, changed: bool) -> None:
    """Something of the person arrives late and is read before it is removed; a change shows that the person is back."""
    person = Person("user", f"late-{uuid4().hex}")
    query(postgres, "INSERT INTO users (unit_type, external_id) VALUES ('user', %s)", person.user_id)
    query(postgres, "INSERT INTO user_links VALUES ('user', %s, 'x', now())", person.user_id)

    async def settle() -> None:
        async with await connect(postgres.dsn, "test") as connection:
            await pseudonym(connection, person.unit_type, person.user_id, changed=changed)
            await delete_late(connection, person, datetime.now(UTC))

    asyncio.run(settle())

    for table, column in (("person_keys", "user_id"), ("users", "external_id")):
        left = query(postgres, f"SELECT 1 FROM {table} WHERE {column} = %s", person.user_id)
        assert bool(left) == changed, table


def test_logging_in_and_out_are_entries(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    secret = make_token("viewer", name="ada's own")
    token = str(whole_api.get("/v1/tokens?limit=1").json()["items"][0]["id"])
    with browser(whole_api) as client:
        csrf = log_in(client, secret).json()["csrf_token"]
        cookie = client.cookies["neonblue_session"]
        client.delete("/v1/session", headers={"x-csrf-token": csrf}).raise_for_status()

    found = entries(whole_api, object_type="token", object_id=token)
    assert [one["action"] for one in found] == ["create", "log_in", "log_out"]
    assert {one["actor"] for one in found[1:]} == {f"token:{token}:ada's own"}
    assert {one["address"] for one in found[1:]} == {"127.0.0.1"}
    assert all(one["request_id"] for one in found)
    text = json.dumps(found)
    assert not any(one in text for one in (secret, cookie, csrf))


def test_a_readers_token_sees_no_entry(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    answer = whole_api.get("/v1/audit", headers=bearer(make_token("editor", "viewer")))
    assert code(answer) == (403, "insufficient_scope")


@pytest.mark.parametrize("wanted", [{"user_id": ""}, {"user_id": "x" * 257}, {"unit_type": ""}])
def test_a_person_is_looked_for_by_an_id_that_can_be(whole_api: httpx.Client, wanted: dict[str, str]) -> None:
    assert whole_api.get("/v1/audit", params=wanted).status_code == 422
