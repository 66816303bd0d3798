"""Requests as spans, around everything else; not there at all while traces are off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import time

from opentelemetry.trace import Span, SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.edge.at_once import AtOnce, Caller, Response
from api.edge.hot import ASSIGNMENTS
from api.http.body import Headers
from neonblue.tracing.context import Parent, parent_of
from neonblue.tracing.tracer import Tracing, failed

_HEADER = b"traceparent"
_EVENTS = "/v1/events"
_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
_SERVER_ERROR = 500
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class TracedCalls:
    """One span for each request that is sampled, named by its method and its route's template."""

    def __init__(self, app: ASGIApp, tracing: Tracing, expect: Callable[[Span], None]) -> None:
        """`expect` hears of requests whose events are on their way from now on."""
        self._app = app
        self._tracing = tracing
        self._expect = expect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        parent = _parent(dict(scope["headers"]))
        if not self._tracing.samples(parent):
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        span = _begin(self._tracing, method, parent)
        if scope["path"] == _EVENTS:
            self._expect(span)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note(span, method, scope, message)
            await send(message)

        with self._tracing.current(span):
            await self._app(scope, receive, noting)


def _begin(tracing: Tracing, method: str, parent: Parent | None, start: float | None = None) -> Span:
    attributes = {"http.request.method": method}
    return tracing.begin(method, parent=parent, kind=SpanKind.SERVER, attributes=attributes, start=start)


def _note(span: Span, method: str, scope: Scope, answer: Message) -> None:
    route = getattr(scope.get("route"), "path", None) or _hot(scope["path"])
    if route is not None:
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", answer["status"])
    for name, value in answer["headers"]:
        if name == b"x-request-id":
            span.set_attribute("neonblue.request_id", value.decode("latin-1"))
    if answer["status"] >= _SERVER_ERROR:
        failed(span)


def _hot(path: str) -> str | None:
    """Of the calls that have no route of FastAPI's."""
    return path if path in (_EVENTS, ASSIGNMENTS) else None


def _parent(headers: Headers) -> Parent | None:
    given = headers.get(_HEADER)
    return None if given is None else parent_of(given.decode("latin-1"))


@dataclass(frozen=True, slots=True)
class TracedAtOnce(AtOnce):
    """As `AtOnce`, and what is sampled leaves a span. A sampled part of a caller's trace goes the usual way."""

    tracing: Tracing = field(kw_only=True)

    def caller(self, headers: Headers) -> Caller | None:
        if _HEADER in headers and (parent := _parent(headers)) is not None and self.tracing.samples(parent):
            return None
        return AtOnce.caller(self, headers)

    def answer(self, caller: Caller, body: bytes) -> Response | None:
        if not self.tracing.samples():
            return AtOnce.answer(self, caller, body)
        start = time()
        response = AtOnce.answer(self, caller, body)
        if response is not None:
            span = _begin(self.tracing, "POST", None, start)
            span.update_name(f"POST {ASSIGNMENTS}")
            span.set_attributes(
                {"http.route": ASSIGNMENTS, "http.response.status_code": 200, "neonblue.at_once": True}
            )
            span.end()
        return response
