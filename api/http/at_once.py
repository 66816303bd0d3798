"""Assignments that memory answers: nothing to wait for, so no task and no ASGI messages."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import security
from api.http.body import Headers, is_lines
from api.http.headers import OF_HOT_ANSWERS
from api.http.headers import Headers as Fields
from api.http.hot import ASSIGNMENTS as PATH
from api.http.hot import request_id_of
from api.http.problems import Problem
from api.metrics import ASSIGNMENTS, REQUEST_SECONDS, REQUESTS
from api.services import Services
from neonblue.contract.violation import ContractError

_CACHED = ASSIGNMENTS.labels("process")
_ANSWERED = REQUESTS.labels(PATH, 200)

_encode = msgspec.json.Encoder().encode


class Response(NamedTuple):
    """A 200 with its header fields, without Content-Length."""

    fields: Fields
    body: bytes


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Answers `POST /v1/assignments` where all that it takes is in memory.

    Whatever is unusual, each error too, is left to the usual way, which starts from the same request.
    """

    services: Services

    def answer(self, headers: Headers, body: bytes) -> Response | None:
        """None: nothing was counted or changed; ask the usual way."""
        clock = asyncio.get_running_loop().time
        started = clock()
        services = self.services
        try:
            token = services.tokens.authorize_known(headers.get(b"authorization"), security.Scope.ASSIGN)
            if token is None or is_lines(headers):
                return None
            found = services.assignments.at_hand(body)
        except (Problem, ContractError):
            return None
        if found is None:
            return None
        limits = services.limits.admit_at_once(token.id, token.rate_limit)
        if limits is None:
            return None
        fields = [(b"x-request-id", request_id_of(headers).encode()), *OF_HOT_ANSWERS, *limits]
        response = Response(fields, _encode(found))
        _CACHED.inc()
        _ANSWERED.inc()
        REQUEST_SECONDS.observe(PATH, clock() - started)
        return response


@dataclass(frozen=True, slots=True)
class Application:
    """An ASGI application, and what its server may ask before it calls it."""

    asgi: ASGIApp
    at_once: AtOnce

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.asgi(scope, receive, send)
