"""Pipes between the event loop and a thread of the engine, which opens its end by a path."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os

_CAPACITY = 1024**2
_PIECE = 1024**2


class _Pipe:
    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        # The engine opens its own end by path; ours stays open until it is done, so that neither side sees an
        # end before there was a beginning. A full quota for pipes leaves the default of 64 KiB.
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._write, fcntl.F_SETPIPE_SZ, _CAPACITY)

    def close_read(self) -> None:
        self._read = _closed(self._read)

    def close_write(self) -> None:
        self._write = _closed(self._write)

    def close(self) -> None:
        self.close_read()
        self.close_write()


def _closed(descriptor: int) -> int:
    if descriptor >= 0:
        os.close(descriptor)
    return -1


class OutputPipe(_Pipe):
    """The engine writes, the loop reads."""

    def __init__(self) -> None:
        super().__init__()
        os.set_blocking(self._read, False)

    @property
    def path(self) -> str:
        return f"/proc/self/fd/{self._write}"

    async def read(self) -> bytes:
        """The next piece, b"" at the end."""
        while True:
            try:
                return os.read(self._read, _PIECE)
            except BlockingIOError:
                await _ready(self._read, reading=True)


class InputPipe(_Pipe):
    """The loop writes, the engine reads."""

    def __init__(self) -> None:
        super().__init__()
        os.set_blocking(self._write, False)

    @property
    def path(self) -> str:
        return f"/proc/self/fd/{self._read}"

    async def write(self, data: bytes) -> None:
        """Raises BrokenPipeError once nobody reads any more."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._write, rest) :]
            except BlockingIOError:
                await _ready(self._write, reading=False)


async def _ready(descriptor: int, *, reading: bool) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    (loop.add_reader if reading else loop.add_writer)(descriptor, wake)
    try:
        await ready
    finally:
        (loop.remove_reader if reading else loop.remove_writer)(descriptor)
