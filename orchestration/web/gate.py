"""The gate before Dagster's web application: who may do what. It knows what may pass, and refuses everything else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.web import operations, pages
from orchestration.web.callers import Caller, Callers, credential_of
from orchestration.web.conversation import Conversation
from orchestration.web.origins import Site, check_fetch
from orchestration.web.refusals import Refusal, viewer_only
from orchestration.web.sign_in import SignIn

CALLER = "neonblue.caller"
"""Where the scope that Dagster gets says who calls."""

GRAPHQL = "/graphql"
_REPORTS = re.compile(r"/report_asset_(materialization|check|observation)/.+")
_FILES_OF_THE_HOST = frozenset({"/notebook", "/dagit/notebook"})
"""They show a file of this machine whose path the request names."""

_LARGEST_BODY = 4 * 1024**2
_LARGEST_FORM = 16 * 1024
"""Of somebody who is not known yet."""
_BODY_SECONDS = 30.0
_OWN_FIELDS = frozenset(
    {b"authorization", b"cookie", b"content-type", b"content-length", b"content-encoding"}
)
_PROTECTION = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_NO_FRAMES = "frame-ancestors 'none'"


class Gate:
    """Lets through what the caller may do, in a form that can mean nothing else."""

    def __init__(self, dagster: ASGIApp, site: Site, callers: Callers, sign_in: SignIn) -> None:
        self._dagster = dagster
        self._site = site
        self._callers = callers
        self._sign_in = sign_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, _protected(send))
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._dagster(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._open(request)
            if response is None:
                caller = await self._caller(request)
                passed = await self._judged(request, caller)
                await self._dagster({**scope, **passed[0], CALLER: caller}, _replay(passed[1], receive), send)
                return
        except Refusal as refusal:
            response = _refused(request, refusal)
        await response(scope, receive, send)

    async def _open(self, request: Request) -> Response | None:
        """The answer of a path that nobody needs to be known for. Raises Refusal for another page's request."""
        host = self._site.check_host(request.headers.getlist("host"))
        form = request.method == "POST" and request.scope["path"] in ("/sign-in", "/sign-out")
        origin = self._site.check_origin(request.headers.getlist("origin"), host, needed=form)
        browser = request.headers.getlist
        check_fetch(browser("sec-fetch-site"), browser("sec-fetch-mode"), request.method)
        body = await _body(request, _LARGEST_FORM) if form else b""
        return await self._sign_in.answer(request, _address(request), origin, body)

    async def _caller(self, connection: HTTPConnection) -> Caller:
        """Who calls. A browser's session changes nothing without the Origin that only its own page has."""
        credential = credential_of(connection)
        reading = connection.scope["type"] == "http" and connection.scope["method"] in ("GET", "HEAD")
        if credential is not None and credential.session and not reading:
            host = self._site.check_host(connection.headers.getlist("host"))
            self._site.check_origin(connection.headers.getlist("origin"), host, needed=True)
        return await self._callers.find(credential, _address(connection))

    async def _judged(self, request: Request, caller: Caller) -> tuple[Scope, bytes]:
        """What Dagster gets in place of the request: parts of the scope, and the body. Raises Refusal."""
        method, path = request.method, request.scope["path"]
        if method in ("GET", "HEAD"):
            if path.rstrip("/") == GRAPHQL:
                raise Refusal(405, "GraphQL is asked by POST, with a body of JSON", {"allow": "POST"})
            if path in _FILES_OF_THE_HOST and not caller.changes:
                raise viewer_only()
            return {"headers": _fields(request)}, b""
        if method != "POST" or not (path == GRAPHQL or _REPORTS.fullmatch(path)):
            raise Refusal(
                405, "Dagster's page takes GET, and POST for GraphQL and reports", {"allow": "GET, HEAD"}
            )
        if path != GRAPHQL and not caller.changes:
            raise viewer_only()
        _check_json(request)
        body, parts = await _body(request, _LARGEST_BODY), {}
        if path == GRAPHQL:
            asked = operations.read_body(body)
            if await asyncio.to_thread(asked.changes) and not caller.changes:
                raise viewer_only()
            body, parts = asked.body(), {"query_string": b""}
        sent = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        return {"headers": _fields(request, sent), **parts}, body

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            host = self._site.check_host(connection.headers.getlist("host"))
            self._site.check_origin(connection.headers.getlist("origin"), host, needed=False)
            if scope["path"] != GRAPHQL:
                raise Refusal(404, "There is nothing to listen to")
            caller = await self._caller(connection)
        except Refusal as refusal:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.message[:100]})
            return
        passed = {**scope, "headers": _fields(connection), "query_string": b"", CALLER: caller}
        conversation = Conversation(receive, send, lambda: self._caller(connection))
        await conversation.carry(self._dagster, passed)


def _address(connection: HTTPConnection) -> str:
    return "unknown" if connection.client is None else connection.client.host


def _check_json(request: Request) -> None:
    kinds, packed = request.headers.getlist("content-type"), request.headers.getlist("content-encoding")
    kind = kinds[0].partition(";")[0].strip().lower() if len(kinds) == 1 else ""
    if kind != "application/json" or packed:
        raise Refusal(415, "The body is JSON, not packed, and says so: Content-Type: application/json")


async def _body(request: Request, most: int) -> bytes:
    """The whole body. Raises Refusal: 413 for one of more than `most` bytes, 408 for one that takes half a minute."""
    chunks, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise Refusal(413, f"The body has {most} bytes at most", {"connection": "close"})
                chunks.append(chunk)
    except TimeoutError:
        raise Refusal(408, "The body did not come in time", {"connection": "close"}) from None
    return b"".join(chunks)


def _fields(
    connection: HTTPConnection, sent: Iterable[tuple[bytes, bytes]] = ()
) -> list[tuple[bytes, bytes]]:
    """The request's header fields without secrets, and without what describes a body, of which `sent` tells."""
    return [*((name, value) for name, value in connection.scope["headers"] if name not in _OWN_FIELDS), *sent]


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body in one piece, then what happens on the connection."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return pending.pop() if pending else await receive()

    return next_message


def _refused(request: Request, refusal: Refusal) -> Response:
    """A page for a person who goes somewhere, else an answer as GraphQL gives it."""
    navigates = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    form = request.method == "POST" and request.scope["path"].startswith("/sign-")
    if navigates and refusal.status == 401:
        return RedirectResponse(f"/sign-in?next={_whole_path(request)}", 303, {"cache-control": "no-store"})
    if navigates or form:
        response: Response = pages.refused(refusal)
    else:
        response = JSONResponse({"data": None, "errors": [{"message": refusal.message}]}, refusal.status)
    response.headers.update({"cache-control": "no-store"} | dict(refusal.headers))
    return response


def _whole_path(request: Request) -> str:
    """The path with its query, as a value for another query."""
    path, query = quote(request.scope["path"]), request.scope["query_string"].decode("latin-1")
    return quote(f"{path}?{query}" if query else path, safe="/")


def _protected(send: Send) -> Send:
    """Every answer tells the browser to show it in no frame, and to give it to no other page."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_PROTECTION)
            if not any(_NO_FRAMES in policy for policy in headers.getlist("content-security-policy")):
                headers.append("content-security-policy", _NO_FRAMES)
        await send(message)

    return sending
