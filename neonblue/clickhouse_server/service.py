"""Takes one authenticated request through its connection, its statement and its response."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import structlog

from neonblue.clickhouse_server.body import Body, ClientGoneError, Receive
from neonblue.clickhouse_server.engine import Connection, Engine, Outcome, Profile
from neonblue.clickhouse_server.errors import (
    ABORTED,
    QUERY_WITH_SAME_ID,
    READONLY,
    SYNTAX_ERROR,
    ClickHouseError,
)
from neonblue.clickhouse_server.execution import Execution
from neonblue.clickhouse_server.guard import Guard, Passed
from neonblue.clickhouse_server.limits import QueryLimits
from neonblue.clickhouse_server.native import WITH_CUSTOM_SERIALIZATION, reframed
from neonblue.clickhouse_server.places import Places
from neonblue.clickhouse_server.request import Request
from neonblue.clickhouse_server.respond import Response, content_type, summary
from neonblue.clickhouse_server.rights import reader
from neonblue.clickhouse_server.sessions import Sessions
from neonblue.clickhouse_server.settings import ServerSettings
from neonblue.clickhouse_server.statement import Statement, read

log = structlog.get_logger()
T = TypeVar("T")

_EXPIRY_PERIOD = 5.0
_MAX_PASSED = 256
_PASSED_SIZE = 2048
_INLINE = 64 * 1024
_SHORT = 16 * 1024
_READER_PART_OF_MEMORY = 8
_HEAD = 256 * 1024
_WHOLE = 8 * 1024**2
_KILLED_ID = re.compile(rb"\bquery_id\s*=\s*'([^'\\]+)'", re.IGNORECASE)


class QueryService:
    """Runs queries on the engine, each user's in places of its own."""

    def __init__(self, settings: ServerSettings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._places = {user.user: Places(settings.share(user), user.user) for user in settings.users}
        self._sessions = Sessions(engine)
        self._running: dict[str, Execution] = {}
        self._passed: dict[bytes, Passed] = {}
        self._stopping = False
        self._expiry = asyncio.ensure_future(self._expire_sessions())
        self._limits = QueryLimits(
            settings.reader_time, settings.reader_memory or engine.memory() // _READER_PART_OF_MEMORY
        )
        self._guard = Guard(reader(), self._limits, engine.formats(), engine.functions())

    async def run(self, request: Request, body: Body, response: Response, receive: Receive) -> None:
        """Answer the request. Raises ClickHouseError (to be told by `response`) and ClientGoneError."""
        if self._stopping:
            raise ClickHouseError(ABORTED, "ABORTED", "The server is stopping", 503)
        began = time.monotonic()
        places = self._places[request.user.user]
        settings = self._settings_of(request)
        statement, head = await self._statement(request, body, places)
        async with places.one(), self._connection(request, statement, settings) as connection:
            execution = Execution(
                self._engine,
                places.threads,
                connection,
                statement,
                request.output_format,
                request.parameters,
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

    def _settings_of(self, request: Request) -> Mapping[str, str]:
        """What the request's query runs with. Raises ClickHouseError on what this user may not set."""
        if not request.user.readonly:
            return request.settings
        self._guard.check_settings(request.settings)
        self._guard.check_database(request.database)
        self._guard.check_format(request.output_format)
        asked = {name: value for name, value in request.settings.items() if name != "readonly"}
        return {**self._limits.settings(), **asked}

    async def _answer(
        self, request: Request, statement: Statement, execution: Execution, response: Response, began: float
    ) -> bytes:
        """A small result, so that an exception still has its status; a large one is sent at once."""
        most = _WHOLE if request.whole else _HEAD
        first = bytearray()
        pieces = execution.pieces()
        reframes = request.protocol_version >= WITH_CUSTOM_SERIALIZATION
        if reframes and _output_format(request, statement).lower() == "native":
            pieces = reframed(pieces, request.protocol_version)
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
        output_format = _output_format(request, statement)
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
        for places in self._places.values():
            places.close()
        self._sessions.close()

    async def _expire_sessions(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRY_PERIOD)
            try:
                self._sessions.expire()
            except Exception:  # this work must go on
                log.exception("sessions_not_expired")

    async def _statement(self, request: Request, body: Body, places: Places) -> tuple[Statement, bytes]:
        """The statement, and the beginning of its data where it is an INSERT with data.

        Raises ClickHouseError if this user or method may not run it.
        """
        limit = places.share.max_query_size
        if request.user.readonly:
            return await self._harmless(request, await self._whole_text(request, body), places), b""
        if request.query:
            statement = await self._read(request.query + b"\n", limit, places)
            if statement.data is not None:
                _require_post(request, statement)
                return statement, statement.text[statement.data_start :].removesuffix(b"\n")
        taken = await body.head(max(limit, _INLINE))
        text = request.query + b"\n" + taken if request.query else taken
        statement = await self._read(text, limit, places)
        if statement.data is None and not body.ended:
            raise ClickHouseError(
                SYNTAX_ERROR, "SYNTAX_ERROR", f"Max query size exceeded ({limit} bytes)", 400
            )
        _require_tokens(statement)
        _require_post(request, statement)
        return self._rewritten(statement), statement.text[statement.data_start :] if statement.data else b""

    async def _whole_text(self, request: Request, body: Body) -> bytes:
        taken = b"".join([piece async for piece in body.pieces()])
        return request.query + b"\n" + taken if request.query else taken

    async def _read(self, text: bytes, limit: int, places: Places) -> Statement:
        if len(text) <= _SHORT:
            return read(text, limit)
        return await places.think(read, text, limit)

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

    async def _harmless(self, request: Request, text: bytes, places: Places) -> Statement:
        """The read-only user's statement as the engine writes it, once the guard has passed it."""
        passed = self._passed.get(text)
        if passed is None:
            passed = await places.think(self._judged, text, places.share.max_query_size)
            if len(text) <= _PASSED_SIZE:
                if len(self._passed) >= _MAX_PASSED:
                    self._passed.clear()
                self._passed[text] = passed
        self._guard.check_identifiers(passed, request.parameters)
        return passed.statement

    def _judged(self, text: bytes, limit: int) -> Passed:
        """Raises ClickHouseError on what a reader may not run, and on what is no statement at all."""
        statement = read(text, limit)
        _require_tokens(statement)
        self._guard.check_unread(statement)
        # What can't be parsed is told as such: the engine says where it stopped reading.
        try:
            written = self._engine.formatted(text)
        except RuntimeError as error:
            raised = ClickHouseError.of_engine(error, self._engine.version)
            raise self._guard.unreadable(statement, raised) from error
        return self._guard.passed(read(written, max(len(written), limit)))

    @contextlib.asynccontextmanager
    async def _connection(
        self, request: Request, statement: Statement, settings: Mapping[str, str]
    ) -> AsyncIterator[Connection]:
        if request.session is None:
            async with self._pooled(request, statement, settings) as connection:
                yield connection
            return
        user = request.user
        most = self._places[user.user].share.sessions
        session = self._sessions.take(user.user, request.session, most, readonly=user.readonly)
        try:
            wanted = {} if statement.verb == "SET" else settings
            if not session.fits(wanted, request.database):
                await self._in_thread(request, session.prepare, wanted, request.database)
            yield session.connection
            if statement.changes_connection:
                await self._in_thread(request, session.remember, statement.verb)
        finally:
            self._sessions.give_back(user.user, request.session, session)

    @contextlib.asynccontextmanager
    async def _pooled(
        self, request: Request, statement: Statement, settings: Mapping[str, str]
    ) -> AsyncIterator[Connection]:
        profile = Profile(request.user.readonly, request.database, frozenset(settings.items()))
        connection = self._engine.idle(profile)
        if connection is None:
            connection = await self._in_thread(request, self._engine.connect, profile)
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

    async def _in_thread(self, request: Request, function: Callable[..., T], *arguments: object) -> T:
        threads = self._places[request.user.user].threads
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)
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


def _output_format(request: Request, statement: Statement) -> str:
    """An INSERT's own format is that of its data."""
    return request.output_format if statement.data else statement.format or request.output_format


def _require_tokens(statement: Statement) -> None:
    if not statement.tokens:
        raise ClickHouseError(SYNTAX_ERROR, "SYNTAX_ERROR", "Syntax error: the query is empty")


def _require_post(request: Request, statement: Statement) -> None:
    """Raises ClickHouseError (READONLY) on a GET that would change something."""
    if request.method != "POST" and not statement.reads and statement.verb:
        message = (
            "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. "
            "You should use method POST for modifying queries"
        )
        raise ClickHouseError(READONLY, "READONLY", message)


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
