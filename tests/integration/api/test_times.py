"""Every time in an answer ends in Z: found by the document's own schemas in what the calls answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.life_cycle import Json, draft, step
from tests.integration.api.test_looks import look, running, take
from tests.waiting import until

UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
FAR = "2199-01-01T01:00:00+01:00"
OF_RESULTS = {"results", "reports"}
"""They need a warehouse, and are looked at where there is one."""

UNREACHED = {
    ("NewToken", "revoked_at"), ("NewToken", "last_used_at"), ("Receipt", "closed_at"), ("SessionOut", "expires_at"),
    ("CellOut", "rejected_at"),
}  # fmt: skip
"""Null in a new thing, or answered by a store that is not there."""

Visited = dict[tuple[str, str], str]


def name_of(schema: Json) -> str:
    name: str = schema["$ref"].rpartition("/")[2]
    return name


def times(
    schemas: Mapping[str, Json], schema: Any, value: Any, owner: str
) -> Iterator[tuple[tuple[str, str], Any]]:
    """Each field that the schema calls a time, by its schema and name, with its value."""
    if not isinstance(schema, dict) or value is None:
        return
    if "$ref" in schema:
        owner = name_of(schema)
        schema = schemas[owner]
    for alternative in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from times(schemas, alternative, value, owner)
    if isinstance(value, list):
        for item in value:
            yield from times(schemas, schema.get("items"), item, owner)
    if isinstance(value, dict):
        for name, field in schema.get("properties", {}).items():
            if is_time(field) and value.get(name) is not None:
                yield (owner, name), value[name]
            yield from times(schemas, field, value.get(name), owner)


def is_time(field: Json) -> bool:
    return any(part.get("format") == "date-time" for part in (field, *field.get("anyOf", ())))


def expected(document: Json) -> set[tuple[str, str]]:
    """The times of every schema that a successful answer of these calls can hold."""
    schemas = document["components"]["schemas"]
    found: set[str] = set()
    queue = [
        part
        for item in document["paths"].values()
        for operation in item.values()
        if not OF_RESULTS.intersection(operation.get("tags", ()))
        for status, answer in operation["responses"].items()
        if status < "300"
        for part in answer.get("content", {}).values()
    ]
    while queue:
        names = set(re.findall(r'#/components/schemas/([^"]+)"', json.dumps(queue.pop()))) - found
        found |= names
        queue += [schemas[name] for name in names]
    return {
        (name, field)
        for name in found
        for field, schema in schemas[name].get("properties", {}).items()
        if is_time(schema)
    }


def in_a_year() -> str:
    """Written in another zone."""
    return (datetime.now(timezone(timedelta(hours=1))) + timedelta(days=365)).isoformat()


class Caller:
    """Calls the API and keeps each time of its answers."""

    def __init__(self, api: httpx.Client) -> None:
        self.api = api
        self.document: Json = api.get("/openapi.json").json()
        self.visited: Visited = {}

    def call(self, method: str, path: str, url: str, body: Any = None, **headers: str) -> Any:
        answer = self.api.request(method, url, json=body, headers=headers)
        assert answer.is_success, answer.text
        if not answer.content:
            return None
        value = answer.json()
        described = self.document["paths"][path][method]["responses"][str(answer.status_code)]
        schema = described["content"]["application/json"]["schema"]
        self.visited |= dict(times(self.document["components"]["schemas"], schema, value, path))
        return value

    def get(self, path: str, **parts: Any) -> Any:
        return self.call("get", path, path.format(**parts))


def live(caller: Caller) -> str:
    """An experiment with every time that one can have; its key."""
    api = caller.api
    dates = {"scheduled_start_at": FAR, "scheduled_stop_at": FAR.replace("01-01", "01-02")}
    made = draft(api, ramp="standard", **dates)
    step(api, made["key"], "schedule").raise_for_status()
    step(api, made["key"], "start").raise_for_status()
    caller.get("/v1/experiments/{key}/ramp", key=made["key"])
    body = {"user_id": "tester-1", "variant_key": "b"}
    path = "/v1/experiments/{key}/forced-variants"
    caller.call("put", path, path.format(key=made["key"]), body)
    ship: Json = {"outcome": "ship", "variant_key": "b", "reason": "r"}
    ship |= {"release": {"variant_key": "b", "ramp": "standard"}}
    path = "/v1/experiments/{key}/conclude"
    caller.call("post", path, path.format(key=made["key"]), ship)
    return str(made["key"])


def person(caller: Caller) -> str:
    """Someone known, assigned, exposed and at last erased; the id."""
    user, experiment = f"u-{uuid4()}", running(caller.api)
    caller.api.put(f"/v1/users/{user}", json={"attributes": {"note": "at 1+00:00"}}).raise_for_status()
    caller.api.post(
        "/v1/assignments", json={"experiment": experiment["key"], "user_id": user}
    ).raise_for_status()
    caller.call("get", "/v1/assignments", f"/v1/assignments?user_id={user}")
    caller.call("get", "/v1/users/{user_id}", f"/v1/users/{user}")
    caller.call("get", "/v1/users/{user_id}/assignments", f"/v1/users/{user}/assignments")
    asked = f"/v1/experiments/{experiment['key']}/evaluations"
    until(lambda: caller.api.get(asked).json()["total"], "what was asked for is stored")
    caller.get("/v1/experiments/{key}/evaluations", key=experiment["key"])
    exported = caller.api.get(f"/v1/users/{user}/export").json()
    (assigned,) = exported["assignments"]
    times_of_it = [value for name, value in assigned.items() if name.endswith("_at") and value is not None]
    assert times_of_it
    assert [value for value in times_of_it if not UTC_TIME.fullmatch(value)] == []
    assert exported["user"]["attributes"] == {"note": "at 1+00:00"}
    taken = take(caller.api, experiment, look(1))
    assert taken.is_success, taken.text
    caller.get("/v1/experiments/{key}/looks", key=experiment["key"])
    return user


def token(caller: Caller) -> int:
    """A token that was used, and is revoked."""
    made = caller.call(
        "post", "/v1/tokens", "/v1/tokens", {"name": "t", "scopes": ["viewer"], "expires_at": in_a_year()}
    )
    used = {"authorization": f"Bearer {made['secret']}"}
    caller.api.get("/v1/experiments", headers=used).raise_for_status()
    caller.api.delete(f"/v1/tokens/{made['id']}").raise_for_status()
    return int(made["id"])


@pytest.fixture
def caller(api: httpx.Client) -> Caller:
    return Caller(api)


def test_every_time_that_the_document_names_ends_in_z(caller: Caller) -> None:
    key = live(caller)
    caller.get("/v1/experiments/{key}", key=key)
    caller.get("/v1/experiments")
    caller.get("/v1/experiments/{key}/versions", key=key)
    caller.get("/v1/experiments/{key}/evaluations", key=key)
    for collection, body in (
        ("layers", {}),
        ("holdouts", {"share": 0}),
        ("metrics", {"type": "proportion", "event_type": "e", "aggregation": "any"}),
    ):
        path, name = f"/v1/{collection}", f"k-{uuid4()}"
        caller.call("post", path, path, {"key": name} | body)
        caller.get(path)
        caller.get(f"{path}/{{key}}", key=name)
    caller.get("/v1/metrics/{key}/versions", key=name)
    user = person(caller)
    caller.get("/v1/tokens/{token_id}", token_id=token(caller))
    caller.get("/v1/tokens")
    caller.get("/v1/audit")
    caller.call("delete", "/v1/users/{user_id}", f"/v1/users/{user}")
    wrong = {field: value for field, value in caller.visited.items() if not UTC_TIME.fullmatch(str(value))}
    assert wrong == {}
    assert expected(caller.document) - caller.visited.keys() <= UNREACHED
