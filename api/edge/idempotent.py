"""Idempotency-Key on calls that make or change something: the repetition is given the answer of the first.

Key, change and answer are one transaction: a request that was answered can be repeated safely, one that failed
leaves its key free. Keys last for a day. `POST /v1/events` does the same in its own group commit, on the same table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

import msgspec
from psycopg.types.json import Jsonb
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.callers import Gate
from api.http.head import idempotency_key_of
from api.http.problems import CONTENT_TYPE, Problem
from api.postgres.database import Connection, Pool

_CLAIM = """
INSERT INTO idempotency_keys (token_id, key, request_hash)
VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING true
"""
_PATIENCE = "SET LOCAL idle_in_transaction_session_timeout = '5min'"
"""The call may wait for Kafka or ClickHouse within the transaction that holds its key."""
_READ = "SELECT request_hash, status, headers, answer FROM idempotency_keys WHERE (token_id, key) = (%s, %s)"
_RECORD = (
    "UPDATE idempotency_keys SET (status, headers, answer) = (%s, %s, %s) WHERE (token_id, key) = (%s, %s)"
)
_KEPT_HEADERS = frozenset({"content-type", "etag", "location"})
_SESSION = "/v1/session"
_TRIAL = "/assignments/trial"
"""Of a person: stores nothing, so that there is nothing to carry out once, and each is a reading of its own."""


@dataclass(slots=True)
class _Answer:
    """An answer held back until it is stored."""

    start: Message = field(default_factory=dict)
    body: bytes = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")

    @property
    def status(self) -> int:
        status: int = self.start["status"]
        return status

    async def send(self, send: Send) -> None:
        await send(self.start)
        await send({"type": "http.response.body", "body": self.body})


class _Undone(Exception):  # noqa: N818 - no error: the answer says why nothing was done
    """The request was refused: its key stays free."""


class Idempotent:
    """Holds a `POST` that carries an Idempotency-Key in one transaction with its answer."""

    def __init__(self, app: ASGIApp, pool: Pool, gate: Gate) -> None:
        self._app = app
        self._pool = pool
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = _header(scope) if scope["type"] == "http" and scope["method"] == "POST" else None
        if given is None or scope["path"] == _SESSION or scope["path"].endswith(_TRIAL):
            await self._app(scope, receive, send)
            return
        key = idempotency_key_of(given)
        caller = await self._gate.caller_of(Request(scope))
        await self._once((caller.token.id, key), scope, receive, send)

    async def _once(self, name: tuple[int, str], scope: Scope, receive: Receive, send: Send) -> None:
        state, answer = scope["state"], _Answer()
        place = f"{scope['method']} {scope['path']}?".encode() + scope["query_string"]
        request_hash = sha256(place + b"\n" + state["body"]).digest()
        try:
            async with self._pool.binding() as connection:
                await connection.execute(_PATIENCE)
                taken = await connection.execute(_CLAIM, (*name, request_hash))
                if await taken.fetchone() is None:
                    await _replay(connection, name, request_hash, answer)
                    raise _Undone
                await self._app(scope, receive, answer.take)
                if answer.status >= 400:
                    raise _Undone
                await _record(connection, name, answer, state)
        except _Undone:
            pass
        await answer.send(send)


def _header(scope: Scope) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == b"idempotency-key"), None)


async def _replay(
    connection: Connection, name: tuple[int, str], request_hash: bytes, answer: _Answer
) -> None:
    cursor = await connection.execute(_READ, name)
    row = await cursor.fetchone()
    if row is None or bytes(row[0]) != request_hash or row[1] is None:
        raise Problem(422, "idempotency_key_reused", "Another request used this key", field="idempotency-key")
    headers = [(key.encode(), value.encode()) for key, value in row[2].items()]
    length = [(b"content-length", str(len(row[3])).encode())] if row[3] else []
    answer.start = {"type": "http.response.start", "status": row[1], "headers": [*headers, *length]}
    answer.body = bytes(row[3])


async def _record(
    connection: Connection, name: tuple[int, str], answer: _Answer, state: dict[str, object]
) -> None:
    """Keep the answer; where it holds a secret, what a repetition is told in its place."""
    headers = {
        key.decode(): value.decode("latin-1")
        for key, value in answer.start["headers"]
        if key.decode() in _KEPT_HEADERS
    }
    status, body = answer.status, answer.body
    if state.get("secret_answer"):
        status, headers = 409, {"content-type": CONTENT_TYPE}
        body = _secret_shown(str(state["request_id"]))
    await connection.execute(_RECORD, (status, Jsonb(headers, dumps=msgspec.json.encode), body, *name))


def _secret_shown(request_id: str) -> bytes:
    detail = "This request was carried out; its secret was shown once. Revoke what it made and make another"
    return Problem(409, "secret_shown_once", detail).body(request_id)
