"""What the calls go through that are not hot: request ids, metrics, and a look at the body."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.body import ClientGone, Headers, read_body
from api.http.hot import request_id_of
from api.http.problems import CONTENT_TYPE, Problem
from api.metrics import REQUEST_SECONDS, REQUESTS
from neonblue.contract.explaining import find_duplicate_key

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class RequestContext:
    """Gives each request an id, which its answer carries, and counts it by its route's template.

    Reads the body beforehand: what is too large, or names a key twice, goes no further.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        request_id = request_id_of(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        clock = asyncio.get_running_loop().time
        started = clock()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            if scope["method"] in _WITH_BODY:
                receive = _replay(await _read(receive, headers), receive)
            await self._app(scope, receive, send_with_id)
        except Problem as problem:
            await _refuse(send_with_id, problem, request_id)
        except ClientGone:
            return
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            REQUESTS.labels(route, status).inc()
            REQUEST_SECONDS.labels(route).observe(clock() - started)


async def _read(receive: Receive, headers: Headers) -> bytes:
    body = await read_body(receive, headers)
    if body:
        violation = find_duplicate_key(body)
        if violation is not None:
            raise Problem.of(violation)
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hands out the body that was read, then whatever comes."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message


async def _refuse(send: Send, problem: Problem, request_id: str) -> None:
    body = problem.body(request_id)
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
