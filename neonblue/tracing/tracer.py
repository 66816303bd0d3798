"""Makes spans: which work is traced, and how a span is begun and ended."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from secrets import token_bytes

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from neonblue import __version__
from neonblue.log_lines import TRACE_ID
from neonblue.settings.traces import TracesSettings
from neonblue.tracing.context import CURRENT, Parent
from neonblue.tracing.sending import Sender, otlp

Attributes = Mapping[str, str | int | float | bool]
_KEPT = TraceFlags(TraceFlags.SAMPLED)
_LOW = 1 << 64
_MOST_LINKS = 128


class Tracing:
    """The traces of one process. What is not sampled costs one random number."""

    def __init__(self, service: str, sender: Sender, ratio: float) -> None:
        self.sender = sender
        self._below = int(ratio * _LOW)
        self._key = token_bytes(16)
        resource = Resource(
            {"service.name": service, "service.namespace": "neonblue", "service.version": __version__}
        )
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(sender)
        self._tracer = self._provider.get_tracer("neonblue")

    def samples(self, parent: Parent | None = None) -> bool:
        """Whether a request is traced. Those of one trace alike; but which ones, no caller can choose."""
        drawn = random.getrandbits(64) if parent is None else self._drawn(parent.trace_id)
        return drawn < self._below

    def _drawn(self, trace_id: int) -> int:
        told = trace_id.to_bytes(16, "big")
        return int.from_bytes(blake2b(told, digest_size=8, key=self._key).digest(), "big")

    def begin(
        self,
        name: str,
        *,
        parent: Span | Parent | None = None,
        links: Iterable[Span | Parent] = (),
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        start: float | None = None,
    ) -> Span:
        """A span that has begun, now or at `start` (seconds since 1970). Without a parent it begins a trace."""
        context = Context() if parent is None else set_span_in_context(_span(parent), Context())
        return self._tracer.start_span(
            name,
            context=context,
            kind=kind,
            attributes=attributes,
            links=[Link(_context(one)) for one in list(links)[:_MOST_LINKS]],
            start_time=None if start is None else nanoseconds(start),
            record_exception=False,
            set_status_on_exception=False,
        )

    @contextmanager
    def current(self, span: Span) -> Iterator[Span]:
        """The work within belongs to the span, which ends with it; an error is told by its kind."""
        before, before_id = CURRENT.set(span), TRACE_ID.set(trace_id(span))
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            CURRENT.reset(before)
            TRACE_ID.reset(before_id)
            span.end()

    def stop(self) -> None:
        """Send what waits, for a moment."""
        self._provider.shutdown()


def tracing_of(settings: TracesSettings, service: str) -> Tracing | None:
    """As the settings want it; None where traces are off."""
    if settings.address is None:
        return None
    return Tracing(service, Sender(otlp(settings.address), settings.queue_spans), settings.sample_ratio)


def trace_id(span: Span) -> str:
    """As logs and messages write it."""
    return f"{span.get_span_context().trace_id:032x}"


def nanoseconds(seconds: float) -> int:
    """Since 1970, as spans have them; to the microsecond."""
    return round(seconds * 1e6) * 1000


def failed(span: Span) -> None:
    """It did not do what it was for."""
    span.set_status(StatusCode.ERROR)


def _context(one: Span | Parent) -> SpanContext:
    if isinstance(one, Parent):
        return SpanContext(one.trace_id, one.span_id, is_remote=True, trace_flags=_KEPT)
    return one.get_span_context()


def _span(one: Span | Parent) -> Span:
    return NonRecordingSpan(_context(one)) if isinstance(one, Parent) else one
