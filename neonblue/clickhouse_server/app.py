"""The ASGI application: paths, lifespan, and what is the same for every response."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

import structlog

from neonblue.clickhouse_server import config, form
from neonblue.clickhouse_server import request as requests
from neonblue.clickhouse_server.body import Body, ClientGoneError, Receive
from neonblue.clickhouse_server.engine import Engine
from neonblue.clickhouse_server.errors import BAD_ARGUMENTS, ClickHouseError
from neonblue.clickhouse_server.respond import Response, Send
from neonblue.clickhouse_server.service import QueryService
from neonblue.clickhouse_server.settings import ServerSettings
from neonblue.log_lines import RUN_ID

log = structlog.get_logger()
Scope = dict[str, Any]

_DISPLAY_NAME = "neonblue"
_METHODS = frozenset({"GET", "HEAD", "POST"})
_UNREAD = 2 * 1024**2
"""Bytes of a body that are taken and forgotten where nobody is known to have sent it."""
_PLAIN = {"content-type": "text/plain; charset=UTF-8"}


class Server:
    """ClickHouse's HTTP interface over one engine, which it opens at startup and closes at shutdown."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._engine: Engine | None = None
        self._service: QueryService | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._engine = await asyncio.to_thread(
                    Engine, self._settings.path, config.write(self._settings)
                )
                self._service = QueryService(self._settings, self._engine)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _close(self) -> None:
        if self._service is not None:
            await self._service.close(self._settings.stop_timeout)
        if self._engine is not None:
            await asyncio.to_thread(self._engine.close)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], unquote(scope["path"])
        common = {"x-clickhouse-server-display-name": _DISPLAY_NAME}
        arguments = requests.arguments_of(scope)
        RUN_ID.set(requests.run_of(arguments))
        response = Response(send, common, None, bodiless=method == "HEAD")
        if method not in _METHODS:
            await response.whole(501, _PLAIN, f"Method {method} is not available\n".encode())
        elif path in {"/ping", "/replicas_status"} or (
            path == "/" and method != "POST" and "query" not in arguments
        ):
            await response.whole(200, _PLAIN, b"Ok.\n")
        elif path not in {"/", "/query"}:
            text = (
                f"There is no handle {path}\n\nUse /ping for health checks.\nSend queries to / with POST.\n"
            )
            await response.whole(404, _PLAIN, text.encode())
        else:
            await self._query(scope, arguments, receive, response)

    async def _query(
        self, scope: Scope, arguments: dict[str, str], receive: Receive, response: Response
    ) -> None:
        query_id = arguments.get("query_id", "")
        body = Body(receive, "", _UNREAD)
        if self._service is None:
            raise RuntimeError("the engine is not open yet")
        try:
            headers = requests.headers_of(scope)
            request = requests.read(scope["method"], headers, arguments, self._settings)
            share = self._settings.share(request.user)
            is_form = form.is_form(request.content_type)
            body = Body(
                receive, request.content_encoding, share.max_form_size if is_form else share.max_body_size
            )
            if is_form:
                arguments = await form.read_fields(request.content_type, body) | arguments
                request = requests.read(scope["method"], headers, arguments, self._settings)
            query_id = request.query_id
            response.identify(query_id, request.accept_encoding)
            await self._service.run(request, body, response, receive)
        except ClickHouseError as error:
            log.info("query_failed", query_id=query_id, code=error.code)
            await body.drain()
            await response.fail(error)
        except ClientGoneError:
            log.info("client_gone", query_id=query_id)
        except (UnicodeError, ValueError) as error:
            await body.drain()
            await response.fail(ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", str(error)))
