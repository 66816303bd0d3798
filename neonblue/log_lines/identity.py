"""On whose behalf a line is written: a request, a run, a trace."""

from __future__ import annotations

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being served."""
TRACE_ID: ContextVar[str | None] = ContextVar("trace_id", default=None)
"""Of the trace that the work belongs to, where it is kept: 32 hexadecimal digits."""

RUN_ID: ContextVar[str | None] = ContextVar("run_id", default=None)
"""Of the Dagster run that asked."""

_of_process: dict[str, str] = {}


def of_process(**ids: str | None) -> None:
    """What every line of this process carries from now on, such as its run's id; None: no more."""
    for name, value in ids.items():
        if value is None:
            _of_process.pop(name, None)
        else:
            _of_process[name] = value


def run_of_process() -> str | None:
    """The id of the run that this process carries out."""
    return _of_process.get("run_id")


def add_ids(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog. What the line says itself stays."""
    for name, value in _of_process.items():
        event.setdefault(name, value)
    if (run_id := RUN_ID.get()) is not None:
        event.setdefault("run_id", run_id)
    if (request_id := REQUEST_ID.get()) is not None:
        event.setdefault("request_id", request_id)
    if (trace_id := TRACE_ID.get()) is not None:
        event.setdefault("trace_id", trace_id)
    return event
