"""Assignments that memory answers: nothing to wait for, so no task and no ASGI messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access import tokens
from api.edge.hot import ASSIGNMENTS as PATH
from api.edge.services import Services
from api.http.body import Headers, is_lines
from api.http.head import given_request_id, new_request_id
from api.http.headers import OF_HOT_ANSWERS, on_the_wire
from api.http.problems import Problem
from api.metrics import ASSIGNMENTS, REQUEST_SECONDS, REQUESTS
from api.recent import RecentMap
from neonblue.serving.limits import ConnectionLimits

_FIELDS = on_the_wire(OF_HOT_ANSWERS)

_KNOWN_HEADS = 4_096

_encode = msgspec.json.Encoder().encode


class Caller(NamedTuple):
    """What a request's header fields say. request_id: the caller's own, where it has one."""

    token_digest: bytes
    request_id: str | None


class Call(NamedTuple):
    """What the head of a request that may be answered at once says. length: of its body."""

    caller: Caller
    length: int


class Response(NamedTuple):
    """A 200: its header fields as they go on the wire, without Content-Length, and its body."""

    fields: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Answers `POST /v1/assignments` where all that it takes is in memory.

    Whatever is unusual, each error too, is left to the usual way, which starts from the same request. heads: those of
    requests that were answered so, byte for byte, without the empty line at the end.
    """

    services: Services
    heads: RecentMap[bytes, Call] = field(default_factory=lambda: RecentMap(_KNOWN_HEADS))

    def caller(self, headers: Headers) -> Caller | None:
        """Who calls; None for a request that goes the usual way."""
        try:
            if is_lines(headers):
                return None
            return Caller(tokens.digest_of(headers.get(b"authorization")), given_request_id(headers))
        except Problem:
            return None

    def answer(self, caller: Caller, body: bytes) -> Response | None:
        """None: nothing was counted or changed; ask the usual way."""
        started = perf_counter()
        services = self.services
        try:
            token = services.tokens.authorize_known(caller.token_digest, tokens.Scope.ASSIGN)
            found = None if token is None else services.assignments.at_hand(body)
        except Problem:
            return None
        if token is None or found is None:
            return None
        limits = services.admission.tokens.admit_at_once(token.id, token.rate_limit)
        if limits is None:
            return None
        request_id = caller.request_id or new_request_id()
        fields = b"".join((_FIELDS, b"\r\nx-request-id: ", request_id.encode(), on_the_wire(limits)))
        response = Response(fields, _encode(found))
        ASSIGNMENTS.add("served" if found.assigned_at is None else "process")
        services.demand.counts.answered(found)
        REQUESTS.add(PATH, "200")
        REQUEST_SECONDS.observe(PATH, perf_counter() - started)
        return response


@dataclass(frozen=True, slots=True)
class Application:
    """An ASGI application, and what its server may ask before it calls it."""

    asgi: ASGIApp
    at_once: AtOnce
    connections: ConnectionLimits = ConnectionLimits()  # noqa: RUF009 - frozen
    leave: Callable[[], None] = lambda: None
    """Ends the answers that go on for as long as the process does: its end waits for no other."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.asgi(scope, receive, send)
