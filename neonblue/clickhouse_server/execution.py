"""Runs one statement: a thread of the engine on one side, the event loop on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Executor
from typing import Self

from neonblue.clickhouse_server.body import Body
from neonblue.clickhouse_server.engine import Connection, Engine, Outcome
from neonblue.clickhouse_server.errors import ClickHouseError
from neonblue.clickhouse_server.pipes import InputPipe, OutputPipe
from neonblue.clickhouse_server.statement import Statement

_RETRY_KILL = 0.2


class Execution:
    """One statement on one connection.

    Either its result is read piece by piece while it runs (a SELECT), or it runs to its end first. Leaving
    its context cancels it, and returns only when the engine has let go of the connection.
    """

    def __init__(
        self,
        engine: Engine,
        threads: Executor,
        connection: Connection,
        statement: Statement,
        output_format: str,
        parameters: Mapping[str, str],
    ) -> None:
        self._engine = engine
        self._threads = threads
        self._connection = connection
        self._statement = statement
        self._output_format = output_format
        self._parameters = parameters
        self._pipe: OutputPipe | InputPipe | None = None
        self._finished: asyncio.Future[Outcome] | None = None
        self.outcome: Outcome | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cancel()

    @property
    def mark(self) -> str:
        """What names its connection to a KILL QUERY."""
        return self._connection.mark

    async def pieces(self) -> AsyncIterator[bytes]:
        """The result's bytes. Raises ClickHouseError, possibly after some of them."""
        if not self._statement.selects:
            self._start(self._statement.text)
            yield (await self._outcome()).output
            return
        self._pipe = pipe = OutputPipe()
        try:
            work = self._start(self._statement.into_file(pipe.path))
            work.add_done_callback(lambda _: pipe.close_write())
            while piece := await pipe.read():
                yield piece
            await self._outcome()
        finally:
            pipe.close_read()

    async def insert(self, head: bytes, body: Body) -> Outcome:
        """Feed an INSERT with `head` and the rest of the body. Raises ClickHouseError and ClientGoneError."""
        self._pipe = pipe = InputPipe()
        try:
            work = self._start(self._statement.from_file(pipe.path))
            work.add_done_callback(lambda _: pipe.close_read())
            await self._feed(pipe, head, body)
        except BrokenPipeError:
            await body.drain()  # the engine has stopped reading; its reason follows
        except BaseException:
            # An end of data here would store what came so far as if it were everything.
            await self.cancel()
            raise
        finally:
            pipe.close_write()
        return await self._outcome()

    async def _feed(self, pipe: InputPipe, head: bytes, body: Body) -> None:
        await pipe.write(head)
        if not body.ended:
            async for piece in body.pieces():
                await pipe.write(piece)

    def _start(self, query: bytes) -> asyncio.Future[Outcome]:
        self._finished = asyncio.get_running_loop().run_in_executor(
            self._threads, self._connection.run, query, self._output_format, self._parameters
        )
        return self._finished

    async def _outcome(self) -> Outcome:
        if self._finished is None:
            raise AssertionError("not started")
        try:
            self.outcome = await asyncio.shield(self._finished)
        except RuntimeError as error:
            raise ClickHouseError.of_engine(error, self._engine.version) from error
        return self.outcome

    async def cancel(self) -> None:
        """Stop the statement if it still runs, and wait until the engine has let go of the connection."""
        loop = asyncio.get_running_loop()
        while self._finished is not None and not self._finished.done():
            await loop.run_in_executor(None, self._engine.kill, [self.mark])
            # Killed first, woken second: an insert that meets its data's end unkilled stores what it has.
            if self._pipe is not None:
                self._pipe.close()
            await asyncio.wait([self._finished], timeout=_RETRY_KILL)
        if self._finished is not None and not self._finished.cancelled():
            self._finished.exception()
