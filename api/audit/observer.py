"""Counts the calls that only read, for the audit log."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.audit.calls import CallLog
from api.http.hot import client_of

_READING = frozenset({"GET", "HEAD"})
_FOR_PROGRAMS = ("/v1/configuration", "/ofrep/")
"""What each client asks for every few seconds: the running experiments' rules."""
_NOT_FOUND = 404


class Observer:
    """Hears of each read of a known caller that was answered, or that found nothing; `RequestContext` is within it."""

    def __init__(self, app: ASGIApp, calls: CallLog) -> None:
        self._app = app
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _READING:
            await self._app(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, message["status"])
            await send(message)

        await self._app(scope, receive, noting)

    def _note(self, scope: Scope, status: int) -> None:
        caller, route = scope.get("state", {}).get("caller"), scope.get("route")
        if caller is None or route is None or route.path.startswith(_FOR_PROGRAMS):
            return
        if status < 400 or status == _NOT_FOUND:
            self._calls.read(scope["method"], route.path, caller.token.id, status, client_of(scope))
