"""What the tests of experiments share: making them, and reading what a change left in PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import msgspec
import psycopg

from neonblue.contract.messages import ExperimentMessage
from tests.integration.api.conftest import Server

Json = dict[str, Any]

VARIANTS = [{"key": "a", "is_control": True}, {"key": "b"}, {"key": "c", "weight": 2}]


def draft(api: httpx.Client, **fields: Any) -> Json:
    """A new draft, as answered."""
    body = {"key": f"e-{uuid4()}", "variants": VARIANTS, "metrics": []} | fields
    answer = api.post("/v1/experiments", json=body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def step(api: httpx.Client, key: str, name: str, body: Json | None = None, **headers: str) -> httpx.Response:
    return api.post(f"/v1/experiments/{key}/{name}", json=body, headers=headers)


def started(api: httpx.Client, **fields: Any) -> Json:
    answer = step(api, draft(api, **fields)["key"], "start")
    assert answer.status_code == 200, answer.text
    running: Json = answer.json()
    return running


def patch(api: httpx.Client, experiment: Json, body: Json) -> httpx.Response:
    """Change the experiment as it was last seen."""
    headers = {"if-match": f'"{experiment["version"]}"'}
    return api.patch(f"/v1/experiments/{experiment['key']}", json=body, headers=headers)


def refused(answer: httpx.Response) -> dict[str, str]:
    """Field → code of each broken rule."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status_code
    return {error["field"]: error["code"] for error in problem["errors"]}


def rows(server: Server, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.dsn) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def messages(server: Server, experiment_id: int) -> list[ExperimentMessage]:
    """The experiment's messages in the outbox, in their order."""
    found = rows(
        server,
        """SELECT payload::text FROM outbox_events
        WHERE aggregate_type = 'experiment' AND event_type = 'EXPERIMENT_CHANGED' AND aggregate_id = %s ORDER BY id""",
        str(experiment_id),
    )
    decode = msgspec.json.Decoder(ExperimentMessage).decode
    return [decode(payload) for (payload,) in found]


def audited(server: Server, object_type: str, object_id: str) -> list[str]:
    """The actions that the audit log tells of an object, in their order."""
    statement = "SELECT action FROM audit_log WHERE object_type = %s AND object_id = %s ORDER BY id"
    return [action for (action,) in rows(server, statement, object_type, object_id)]
