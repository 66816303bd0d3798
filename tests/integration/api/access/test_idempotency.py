"""Idempotency-Key on creates: carried out once, answered alike."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
from psycopg.conninfo import make_conninfo
from starlette.types import Message, Receive, Scope, Send

from api.access.callers import Caller, Gate
from api.access.tokens import Token
from api.edge.idempotent import Idempotent
from api.postgres.database import Pool
from tests.integration.api.access.conftest import TokenMaker, bearer, code
from tests.integration.api.conftest import Server
from tests.integration.api.test_durability import query

VARIANTS = [{"key": "a", "is_control": True}, {"key": "b"}]


def _create(api: httpx.Client, key: str, name: str, **headers: str) -> httpx.Response:
    body: dict[str, Any] = {"key": name, "variants": VARIANTS}
    return api.post("/v1/experiments", json=body, headers={"idempotency-key": key} | headers)


def test_a_repeated_create_is_answered_as_the_first(whole_api: httpx.Client, postgres: Server) -> None:
    key, name = str(uuid4()), f"once-{uuid4()}"
    first, *others = [_create(whole_api, key, name) for _ in range(3)]
    assert first.status_code == 201
    for other in others:
        assert (other.status_code, other.content) == (first.status_code, first.content)
        assert other.headers["content-type"] == first.headers["content-type"]
    changes = "SELECT count(*) FROM audit_log WHERE object_type = 'experiment' AND object_id = %s"
    assert query(postgres, changes, name) == [(1,)]


def test_concurrent_repetitions_are_one_create(start_api: Any, postgres: Server) -> None:
    """Over two processes."""
    key, name = str(uuid4()), f"once-{uuid4()}"
    with start_api() as one, start_api() as other, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda api: _create(api, key, name), [one, other] * 8))
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert query(postgres, "SELECT count(*) FROM experiments WHERE key = %s", name) == [(1,)]


def test_a_key_belongs_to_one_request(whole_api: httpx.Client) -> None:
    key = str(uuid4())
    assert _create(whole_api, key, f"one-{uuid4()}").status_code == 201
    assert code(_create(whole_api, key, f"two-{uuid4()}")) == (422, "idempotency_key_reused")
    event = {"user_id": "u", "event_type": "visit"}
    answer = whole_api.post("/v1/events", json=event, headers={"idempotency-key": key})
    assert code(answer) == (422, "idempotency_key_reused")


def test_a_key_belongs_to_one_token(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    key, name = str(uuid4()), f"mine-{uuid4()}"
    assert _create(whole_api, key, name).status_code == 201
    other = bearer(make_token("editor"))
    assert code(_create(whole_api, key, name, **other)) == (409, "experiment_exists")


def test_a_request_that_failed_leaves_its_key_free(whole_api: httpx.Client) -> None:
    key, name = str(uuid4()), f"free-{uuid4()}"
    body = {"key": name, "variants": VARIANTS[:1]}
    assert whole_api.post("/v1/experiments", json=body, headers={"idempotency-key": key}).status_code == 422
    assert _create(whole_api, key, name).status_code == 201


def test_a_secret_is_shown_once_also_to_a_repetition(whole_api: httpx.Client, postgres: Server) -> None:
    headers = {"idempotency-key": str(uuid4())}
    body = {"name": f"secret-{uuid4()}", "scopes": ["viewer"]}
    first = whole_api.post("/v1/tokens", json=body, headers=headers)
    assert first.status_code == 201
    assert code_of_repetition(whole_api.post("/v1/tokens", json=body, headers=headers)) == "secret_shown_once"
    held = query(
        postgres, "SELECT convert_from(answer, 'UTF8') FROM idempotency_keys WHERE answer IS NOT NULL"
    )
    assert all(first.json()["secret"] not in row[0] for row in held)
    assert query(postgres, "SELECT count(*) FROM api_tokens WHERE name = %s", body["name"]) == [(1,)]


def code_of_repetition(answer: httpx.Response) -> str:
    """Its body names the first request."""
    assert answer.status_code == 409
    found: str = answer.json()["code"]
    return found


def test_a_key_of_other_characters_is_refused(whole_api: httpx.Client) -> None:
    for key in ("", "two words", "x" * 256):
        assert code(_create(whole_api, key, f"bad-{uuid4()}")) == (400, "invalid_idempotency_key")


def test_a_call_may_wait_for_another_service_while_it_holds_its_key(
    postgres: Server, make_token: TokenMaker
) -> None:
    """PostgreSQL ends a transaction in which nothing is done for longer than the API's role may: not this one."""
    role, password = f"impatient_{uuid4().hex}", uuid4().hex
    query(postgres, f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{password}'")
    query(postgres, f"ALTER ROLE {role} SET idle_in_transaction_session_timeout = '200ms'")
    impatient = make_conninfo(postgres.dsn, user=role, password=password)
    make_token("editor")
    (token,) = query(postgres, "SELECT max(id) FROM api_tokens")[0]
    caller = Caller(Token(token, "test", frozenset(), None, None, None, revoked=False), None)

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        await asyncio.sleep(1.0)
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"made"})

    async def call() -> list[Message]:
        answered: list[Message] = []
        pool = Pool(impatient, 1)
        scope = {
            "type": "http", "method": "POST", "path": "/v1/layers", "query_string": b"",
            "headers": [(b"idempotency-key", uuid4().hex.encode())],
            "state": {"caller": caller, "body": b"", "request_id": "test"},
        }  # fmt: skip

        async def send(message: Message) -> None:
            answered.append(message)

        try:
            gate = Gate(None, None, None)  # type: ignore[arg-type] # the caller is known
            await Idempotent(slow, pool, gate)(scope, None, send)  # type: ignore[arg-type]
        finally:
            await pool.close()
        return answered

    start, body = asyncio.run(call())

    assert (start["status"], body["body"]) == (201, b"made")
