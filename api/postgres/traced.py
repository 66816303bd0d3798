"""A group's transaction as a span: in the trace of its first traced request, with links to the others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from opentelemetry.trace import Span, SpanKind

from neonblue.tracing.tracer import Attributes, Tracing


def transaction(
    tracing: Tracing, queue: str, spans: Sequence[Span], requests: int, items: int
) -> AbstractContextManager[Span]:
    """`spans`: of the group's traced requests; `requests`, `items`: how many the whole group has."""
    first, *others = spans
    attributes: Attributes = {
        "db.system.name": "postgresql",
        "neonblue.queue": queue,
        "neonblue.requests": requests,
        "neonblue.items": items,
    }
    span = tracing.begin(
        f"{queue} transaction", parent=first, links=others, kind=SpanKind.CLIENT, attributes=attributes
    )
    return tracing.current(span)
