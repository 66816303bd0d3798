"""A collector that takes every span and keeps none, in a process of its own: a benchmark's traces go there.

``python -m neonblue.bench.collector`` prints its port, and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from neonblue.bench.load import loop_factory

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
_HEADER_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_END_SECONDS = 10.0


@contextmanager
def collector() -> Iterator[str]:
    """Its address while it runs. It ends with whoever started it, however that ends."""
    command = [sys.executable, "-m", __name__]
    # Of a group of its own: Ctrl-C is for the benchmark, which may need it until all is put back.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        assert process.stdin is not None  # noqa: S101 - both are asked for
        assert process.stdout is not None  # noqa: S101
        try:
            port = process.stdout.readline().strip()
            if not port:
                raise RuntimeError("the benchmark's collector did not start")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stdin.close()
            process.wait(timeout=_END_SECONDS)


class Taking(asyncio.Protocol):
    """Answers each whole POST with 200."""

    def __init__(self) -> None:
        self._left = 0
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        while data:
            if not self._left:
                self._head += data
                head, end, data = self._head.partition(_HEADER_END)
                if not end:
                    return
                self._head, self._left = b"", _body_length(head)
            taken = min(self._left, len(data))
            self._left, data = self._left - taken, data[taken:]
            if not self._left and self._transport is not None:
                self._transport.write(_ANSWER)


def _body_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(_LENGTH):
            return int(line[len(_LENGTH) :])
    return 0


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Taking, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve())
