"""Log lines that can't do harm: where one can't be written it is counted, and whoever logs goes on."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

import structlog


class LogLines:
    """A logger for structlog, and its factory. No method of it raises.

    `stream` is looked up for each line; None: nobody reads, and nothing is lost. `dropped`: lines that could not be
    written, as on a full disk. How many is said in a line, ``log_lines_dropped``, once writing works again.
    """

    def __init__(self, stream: Callable[[], TextIO | None]) -> None:
        self.dropped = 0
        self._told = 0
        self._torn = False
        self._stream = stream
        self._lock = threading.RLock()
        self._writing = False

    def __call__(self, *_: object) -> LogLines:
        return self

    def msg(self, message: str) -> None:
        """Write one line, without its end."""
        with self._lock:
            if self._writing:  # by this thread: what the garbage collector ends meanwhile may log, too
                self.dropped += 1
                return
            self._writing = True
            try:
                self._write(message)
            except (OSError, ValueError):  # ValueError: the stream is closed
                self.dropped += 1
                return
            finally:
                self._writing = False
            dropped, untold = self.dropped, self.dropped - self._told
            self._told = dropped
        if untold:
            structlog.get_logger("neonblue.log").warning("log_lines_dropped", count=untold)
            if self.dropped != dropped:
                self._told -= untold  # that line was lost as well

    log = debug = info = warn = warning = error = critical = fatal = failure = err = exception = msg

    def _write(self, message: str) -> None:
        stream = self._stream()
        if stream is None:
            return
        try:
            descriptor = stream.fileno()
        except (AttributeError, OSError, ValueError):  # no file: a test's, or a program's own
            stream.write(f"{message}\n")
            stream.flush()
            return
        with suppress(OSError, ValueError):
            stream.flush()  # what others print there keeps its place
        # Past the stream's buffer: it would keep a line that failed, and fail with it again.
        text = f"\n{message}\n" if self._torn else f"{message}\n"
        self._write_all(descriptor, text.encode(stream.encoding, _lenient(stream.errors)))

    def _write_all(self, descriptor: int, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(descriptor, data[written:])
        finally:
            if written:
                self._torn = written < len(data)


def _lenient(errors: str | None) -> str:
    """How signs that the stream's encoding lacks are written."""
    return "backslashreplace" if errors in (None, "strict") else str(errors)


def calm_logging() -> None:
    """Have the standard library's logging, which others use, say nothing of lines that it can't write."""
    logging.raiseExceptions = False
