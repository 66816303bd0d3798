"""Request ids and metrics of the calls that are not hot."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.hot import request_id_of
from api.metrics import REQUEST_SECONDS, REQUESTS


class RequestContext:
    """Gives each request an id, which its answer carries, and counts it by its route's template."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(dict(scope["headers"]))
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
            await self._app(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            REQUESTS.labels(route, status).inc()
            REQUEST_SECONDS.labels(route).observe(clock() - started)
