"""Which span the work of now belongs to, and how that is told to others."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol


class NowSpan(Protocol):
    """What is used of a span of OpenTelemetry."""

    def get_span_context(self) -> Any: ...


CURRENT: ContextVar[NowSpan | None] = ContextVar("span", default=None)
"""Of the work that is traced; None: it is not."""

_TRACEPARENT = re.compile("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?").fullmatch


class Parent(NamedTuple):
    """A span of another process."""

    trace_id: int
    span_id: int


def traceparent(span: NowSpan | None) -> str | None:
    """The span as the header and the message carry it. A span that is there is kept."""
    if span is None:
        return None
    context = span.get_span_context()
    if not context.trace_id:  # OpenTelemetry was switched off by a variable of its own
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def parent_of(text: str) -> Parent | None:
    """The span that the header or the message names; None where it is not well-formed."""
    found = _TRACEPARENT(text)
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5]):
        return None
    parent = Parent(int(found[2], 16), int(found[3], 16))
    return parent if parent.trace_id and parent.span_id else None
