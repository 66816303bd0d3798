"""A small TCP proxy that loses, cuts and delays what passes through it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass
from typing import Self

_CHUNK_BYTES = 65_536
_STOP_SECONDS = 2.0
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to what passes: `delay`: each chunk waits up to so many seconds; `refuse`: every connection is
    reset; `mute`: what the server answers is not passed on, and the connection is reset in its place."""

    delay: float = 0.0
    refuse: bool = False
    mute: bool = False


FAIR = Weather()


class Proxy:
    """Listens on a free port of the loopback and passes everything on to `port` there."""

    def __init__(self, port: int, seed: int = 0) -> None:
        self.weather = FAIR
        self.port = 0
        self._target = port
        self._draw = random.Random(seed)  # noqa: S311 - it must be the same again
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> Self:
        """Begin to listen; `port` is known then."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def reset(self) -> None:
        """Reset every connection that is open now. From the event loop's thread."""
        for writer in list(self._open):
            _reset(writer)

    async def stop(self) -> None:
        """End every connection and listen no more."""
        if self._server is not None:
            self._server.close()
        self.reset()
        if self._serving:
            await asyncio.wait(self._serving, timeout=_STOP_SECONDS)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather.refuse:
            _reset(writer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        ends = {writer, server_writer}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass(reader, server_writer, answers=False))
                tasks.create_task(self._pass(server_reader, writer, answers=True))
        except* _EndedError:
            pass
        except* (OSError, _CutError):
            for end in ends:
                _reset(end)
        finally:
            self._open -= ends
            for end in ends:
                end.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            if self.weather.delay:
                await asyncio.sleep(self._draw.uniform(0, self.weather.delay))
            if self.weather.refuse or (answers and self.weather.mute):
                raise _CutError
            writer.write(chunk)
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()
        if answers:
            raise _EndedError


class _EndedError(Exception):
    """The server hung up."""


class _CutError(Exception):
    """The connection is to be reset."""


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a crash does, so that the other side gets an error and not an end."""
    plain = writer.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
