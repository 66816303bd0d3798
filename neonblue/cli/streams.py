"""Standard output and error as they are: of any encoding, on a full disk, closed early by who reads them."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

_NAME = "neonblue.nearest"
_NEAREST = {
    "−": "-",
    "–": "-",
    "—": "-",
    "→": "->",
    "←": "<-",
    "⇄": "<->",
    "×": "x",
    "·": "-",
    "•": "*",
    "±": "+/-",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "α": "alpha",
    "✓": "+",
    "✗": "x",
    "“": "'",
    "”": "'",
    "„": "'",
    "‘": "'",
    "’": "'",
}
"""What stands for a sign that the encoding lacks. No quotation mark or backslash: JSON stays JSON."""


def _nearest(error: UnicodeError) -> tuple[str | bytes, int]:
    """The nearest that ASCII has, sign for sign; ``?`` for what has none, as other tools print it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ascii(sign) for sign in error.object[error.start : error.end]), error.end


def _ascii(sign: str) -> str:
    if sign in _NEAREST:
        return _NEAREST[sign]
    if unicodedata.category(sign) == "Cs":  # a byte of a file's name that is no UTF-8
        return f"\\u{ord(sign):04x}"
    plain = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return plain if plain.isprintable() and plain and plain not in '"\\' else "?"


codecs.register_error(_NAME, _nearest)


class UnwritableError(OSError):
    """Standard output or error can't be written: its reader is gone, or its disk is full."""


class _Raw(io.FileIO):
    """A standard stream whose failures are told from those of other files."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BlockingIOError:
            raise
        except OSError as error:
            raise UnwritableError(error.errno, error.strerror) from None


@contextmanager
def careful_streams() -> Iterator[None]:
    """Print within whatever the streams can hold, and end the process by what became of the output.

    Who closes standard output early, as ``head`` does, has what he wants: nothing is said, the exit code is 1. Where
    it can't be written else, one sentence on standard error says why, and the exit code is 1.
    """
    if sys.stdin is None:  # closed before the start (<&-): empty
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    for name in ("stdout", "stderr"):
        setattr(sys, name, _careful(getattr(sys, name)))
    try:
        yield
    except UnwritableError as error:
        _end(error)
    except SystemExit:
        _flush()
        raise
    _flush()


def _careful(stream: Any) -> Any:
    if stream is None:  # closed before the start (>&-): what is printed goes nowhere
        return Path(os.devnull).open("w", encoding="utf-8")
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_NAME)
        return stream
    stream.flush()
    careful = _Raw(raw.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        careful
        if raw is buffer
        else io.BufferedWriter(careful),  # the former where Python is unbuffered (-u)
        encoding=stream.encoding,
        errors=_NAME,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _flush() -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except UnwritableError as error:
        _end(error)


def _end(error: UnwritableError) -> NoReturn:
    if error.errno != errno.EPIPE:
        with suppress(OSError):
            sys.stderr.write(f"error  standard output can't be written: {error.strerror}\n")
            sys.stderr.flush()
    # Python writes what is left of them at its end, and would complain once more.
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
    raise SystemExit(1) from None
