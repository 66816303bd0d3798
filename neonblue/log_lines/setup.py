"""Makes a process write its lines: what structlog is given, and what libraries say by Python's own logging."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog

from neonblue.log_lines.errors import told, without_queries
from neonblue.log_lines.identity import add_ids
from neonblue.log_lines.line import RESERVED, written
from neonblue.log_lines.writer import LogLines, calm_logging

ROOT_LEVEL = logging.WARNING
"""Below it libraries tell of each call they make, with its address."""
MESSAGE = "message"
Event = MutableMapping[str, Any]


def configure(service: str, lines: LogLines) -> None:
    """Write every line of this process to `lines`, as `service`."""
    calm_logging()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            add_ids,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_error,
            _Ordered(service),
            _rendered,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lines,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [StandardLines(service, lines)]
    root.setLevel(ROOT_LEVEL)
    logging.captureWarnings(True)


def _rendered(_: object, __: str, event: Event) -> str:
    return written(event)


def _with_error(_: object, __: str, event: Event) -> Event:
    """The trace of the error in `exc_info`, in the field `exception`."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = told(error)
    return event


class _Ordered:
    """What every line has first."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _: object, __: str, event: Event) -> Event:
        event["service"] = self._service
        return {**{name: event.pop(name) for name in RESERVED}, **event}


Fields = Callable[[logging.LogRecord], Mapping[str, Any]]


class StandardLines(logging.Handler):
    """Writes what libraries say by Python's own logging: the event ``message``, and who says it as `logger`.

    `fields` of a record, where the library tells more than a text, come first; `event` among them names the event.
    """

    def __init__(self, service: str, lines: LogLines, fields: Fields = lambda _: {}) -> None:
        super().__init__()
        self._order = _Ordered(service)
        self._lines = lines
        self._fields = fields

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises."""
        try:
            self._lines.msg(self._line(record))
        except Exception:
            self._lines.dropped += 1

    def _line(self, record: logging.LogRecord) -> str:
        event: Event = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")[:-6]
            + "Z",
            "level": "critical" if record.levelno >= logging.CRITICAL else record.levelname.lower(),
            "event": MESSAGE,
            "logger": record.name,
            **self._fields(record),
        }
        event.setdefault(MESSAGE, _text(record))
        if record.exc_info and record.exc_info[1] is not None:
            event["exception"] = told(record.exc_info[1])
        return written(self._order(None, "", add_ids(None, "", event)))


def _text(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception:  # arguments that do not fit the text
        text = str(record.msg)
    text = without_queries(text)
    # What follows shows the objects of a task, with what they hold.
    return text.partition("\n")[0] if record.name == "asyncio" else text
