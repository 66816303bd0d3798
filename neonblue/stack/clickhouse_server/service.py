"""Takes one authenticated request through its connection, its statement and its response."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from neonblue.stack.clickhouse_server.body import Body, ClientGoneError, Receive
from neonblue.stack.clickhouse_server.engine import Connection, Engine, Outcome, Profile
from neonblue.stack.clickhouse_server.errors import (
    ABORTED,
    QUERY_WITH_SAME_ID,
    READONLY,
    SYNTAX_ERROR,
    TOO_MANY_SIMULTANEOUS_QUERIES,
    ClickHouseError,
)
from neonblue.stack.clickhouse_server.execution import Execution
from neonblue.stack.clickhouse_server.guard import Guard, check_settings
from neonblue.stack.clickhouse_server.request import Request
from neonblue.stack.clickhouse_server.respond import Response, content_type, summary
from neonblue.stack.clickhouse_server.sessions import Sessions
from neonblue.stack.clickhouse_server.settings import ServerSettings
from neonblue.stack.clickhouse_server.statement import Statement, read

log = structlog.get_logger()
T = TypeVar("T")

_EXPIRY_PERIOD = 5.0
_MAX_PASSED = 512
_INLINE = 64 * 1024
_HEAD = 256 * 1024
_WHOLE = 8 * 1024**2
_KILLED_ID = re.compile(rb"\bquery_id\s*=\s*'([^'\\]+)'", re.IGNORECASE)


class QueryService:
    """Runs queries on the engine: a bounded number at once, the others wait for their turn."""

    def __init__(self, settings: ServerSettings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="query")
        self._slots = asyncio.Semaphore(settings.threads)
        self._waiting = 0
        self._sessions = Sessions(engine, settings.max_sessions)
        self._running: dict[str, Execution] = {}
        self._passed: dict[bytes, Statement] = {}
        self._stopping = False
        self._expiry = asyncio.ensure_future(self._expire_sessions())
        functions = engine.control.rows("SELECT name FROM system.table_functions")
        self._guard = Guard(frozenset(row[0] for row in functions))

    async def run(self, request: Request, body: Body, response: Response, receive: Receive) -> None:
        """Answer the request. Raises ClickHouseError (to be told by `response`) and ClientGoneError."""
        began = time.monotonic()
        statement, head = await self._statement(request, body)
        statement = await self._authorized(request, statement)
        async with self._slot(), self._connection(request, statement) as connection:
            execution = Execution(
                self._engine, self._threads, connection, statement, request.output_format, request.parameters
            )
            with self._registered(request.query_id, execution):
                async with execution:
                    if statement.data is None:
                        answer = self._answer(request, statement, execution, response, began)
                        content = await _while_connected(receive, answer)
                    else:
                        await execution.insert(head, body)
                        content = b""
        # Sent when the session is free again: the client may follow at once.
        outcome = execution.outcome
        if response.started:
            await response.end()
        else:
            await response.whole(200, self._headers(request, statement, outcome, began), content)
        self._log(request, statement, outcome, time.monotonic() - began)

    async def _answer(
        self, request: Request, statement: Statement, execution: Execution, response: Response, began: float
    ) -> bytes:
        """A small result, so that an exception still has its status; a large one is sent at once."""
        most = _WHOLE if request.whole else _HEAD
        first = bytearray()
        pieces = execution.pieces()
        async for piece in pieces:
            first += piece
            if len(first) > most:
                break
        else:
            return bytes(first)
        await response.begin(self._headers(request, statement, None, began))
        await response.piece(bytes(first))
        del first
        async for piece in pieces:
            await response.piece(piece)
        return b""

    def _headers(
        self, request: Request, statement: Statement, outcome: Outcome | None, began: float
    ) -> dict[str, str]:
        output_format = request.output_format if statement.data else statement.format or request.output_format
        elapsed = time.monotonic() - began
        return {
            "content-type": content_type(output_format),
            "x-clickhouse-format": output_format,
            "x-clickhouse-summary": summary(outcome, elapsed, wrote=statement.verb == "INSERT"),
            "x-clickhouse-timezone": request.settings.get("session_timezone") or self._engine.timezone,
        }

    async def close(self, grace: float) -> None:
        """Refuse new queries, cancel those that run, close every connection."""
        self._stopping = True
        self._expiry.cancel()
        running = [execution.cancel() for execution in self._running.values()]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*running, return_exceptions=True), grace)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._sessions.close()

    async def _expire_sessions(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRY_PERIOD)
            self._sessions.expire()

    async def _statement(self, request: Request, body: Body) -> tuple[Statement, bytes]:
        """The statement, and the beginning of its data where it is an INSERT with data."""
        limit = self._settings.max_query_size
        if request.query:
            statement = read(request.query + b"\n", limit)
            if statement.data is not None:
                return statement, statement.text[statement.data_start :].removesuffix(b"\n")
        taken = await body.head(max(limit, _INLINE))
        text = request.query + b"\n" + taken if request.query else taken
        statement = read(text, limit)
        if statement.data is None and not body.ended:
            raise ClickHouseError(
                SYNTAX_ERROR, "SYNTAX_ERROR", f"Max query size exceeded ({limit} bytes)", 400
            )
        if not statement.tokens:
            raise ClickHouseError(SYNTAX_ERROR, "SYNTAX_ERROR", "Syntax error: the query is empty")
        return self._rewritten(statement), statement.text[statement.data_start :] if statement.data else b""

    def _rewritten(self, statement: Statement) -> Statement:
        """KILL QUERY by a client's id, which the engine doesn't know, becomes one by connection."""
        if statement.verb != "KILL":
            return statement
        text = _KILLED_ID.sub(self._by_connection, statement.text)
        return read(text, self._settings.max_query_size)

    def _by_connection(self, found: re.Match[bytes]) -> bytes:
        running = self._running.get(found.group(1).decode("utf-8", "replace"))
        if running is None:
            return found.group()
        return f"Settings['log_comment'] = '{running.mark}'".encode()

    async def _authorized(self, request: Request, statement: Statement) -> Statement:
        """The statement to run. Raises ClickHouseError (READONLY) if this user or method may not run it."""
        if request.user.readonly:
            check_settings(frozenset(request.settings))
            return await self._harmless(statement)
        if request.method != "POST" and not statement.reads and statement.verb:
            message = (
                "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. "
                "You should use method POST for modifying queries"
            )
            raise ClickHouseError(READONLY, "READONLY", message)
        return statement

    async def _harmless(self, statement: Statement) -> Statement:
        """The read-only user's statement as the engine writes it, once the guard has passed it."""
        known = self._passed.get(statement.text)
        if known is not None:
            return known
        if statement.data is not None:
            self._guard.check_verb(statement)
        # What is no statement at all is told as such: the engine says where it stopped reading.
        try:
            text = await self._in_thread(self._engine.formatted, statement.text)
        except ClickHouseError as error:
            raise self._guard.unreadable(statement, error) from error
        written = read(text, max(len(text), self._settings.max_query_size))
        self._guard.check(written)
        if len(self._passed) >= _MAX_PASSED:
            self._passed.clear()
        self._passed[statement.text] = written
        return written

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """One of the engine's places, or an error when too many wait or it takes too long."""
        if self._stopping:
            raise ClickHouseError(ABORTED, "ABORTED", "The server is stopping", 503)
        if self._waiting >= self._settings.max_waiting_queries:
            raise _too_many(self._settings.threads)
        self._waiting += 1
        try:
            await asyncio.wait_for(self._slots.acquire(), self._settings.queue_timeout)
        except TimeoutError as error:
            raise _too_many(self._settings.threads) from error
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    @contextlib.asynccontextmanager
    async def _connection(self, request: Request, statement: Statement) -> AsyncIterator[Connection]:
        if request.session is None:
            async with self._pooled(request, statement) as connection:
                yield connection
            return
        user = request.user
        session = self._sessions.take(user.user, request.session, readonly=user.readonly)
        try:
            settings = {} if statement.verb == "SET" else request.settings
            if not session.fits(settings, request.database):
                await self._in_thread(session.prepare, settings, request.database)
            yield session.connection
            if statement.changes_connection:
                await self._in_thread(session.remember, statement.verb)
        finally:
            self._sessions.give_back(user.user, request.session, session)

    @contextlib.asynccontextmanager
    async def _pooled(self, request: Request, statement: Statement) -> AsyncIterator[Connection]:
        profile = Profile(request.user.readonly, request.database, frozenset(request.settings.items()))
        connection = self._engine.idle(profile)
        if connection is None:
            connection = await self._in_thread(self._engine.connect, profile)
        clean = False
        try:
            yield connection
            clean = not statement.changes_connection
        except ClickHouseError:
            clean = not statement.changes_connection
            raise
        finally:
            if clean:
                self._engine.release(connection)
            else:
                connection.close()

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, function, *arguments)
        except RuntimeError as error:
            raise ClickHouseError.of_engine(error, self._engine.version) from error

    @contextlib.contextmanager
    def _registered(self, query_id: str, execution: Execution) -> Iterator[None]:
        if query_id in self._running:
            message = f"Query with id = {query_id} is already running."
            name = "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING"
            raise ClickHouseError(QUERY_WITH_SAME_ID, name, message)
        self._running[query_id] = execution
        try:
            yield
        finally:
            del self._running[query_id]

    def _log(self, request: Request, statement: Statement, outcome: Outcome | None, seconds: float) -> None:
        if seconds >= self._settings.slow_query:
            log.info(
                "query_finished",
                query_id=request.query_id,
                user=request.user.user,
                verb=statement.verb,
                seconds=round(seconds, 3),
                result_rows=outcome.result_rows if outcome else None,
                read_rows=outcome.read_rows if outcome else None,
            )


def _too_many(threads: int) -> ClickHouseError:
    message = f"Too many simultaneous queries: {threads} run, and as many wait as may"
    return ClickHouseError(TOO_MANY_SIMULTANEOUS_QUERIES, "TOO_MANY_SIMULTANEOUS_QUERIES", message)


async def _while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Do `work` unless the client goes away first. Raises ClientGoneError then."""
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGoneError
        return working.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
