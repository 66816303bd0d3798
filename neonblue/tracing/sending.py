"""Sends spans to a collector, from a thread of its own. Whoever makes a span never waits."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

import requests
import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExportResult

from neonblue.tracing.counts import COUNTS, Counts

log = structlog.get_logger("neonblue.tracing")

_BATCH = 512
_WAIT_SECONDS = 1.0
_EXPORT_SECONDS = 5.0
_TELL_SECONDS = 60.0
_PARTING_SECONDS = 2.0

Export = Callable[[Sequence[ReadableSpan]], bool]
"""export(spans): whether the collector took them. It may raise, and it may take seconds."""


def otlp(address: str) -> Export:
    """By OTLP over HTTP, in protobuf."""
    # A collector that is away would have a line for each try; how many spans that cost is told once a minute.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    session = requests.Session()
    session.trust_env = False  # no proxy on the way to a collector nearby, nor a password from elsewhere
    exporter = OTLPSpanExporter(
        address,
        timeout=_EXPORT_SECONDS,
        compression=Compression.NoCompression,
        headers={"accept": "application/x-protobuf"},  # none would be those of a variable of OpenTelemetry's
        session=session,
    )
    return lambda spans: exporter.export(spans) is SpanExportResult.SUCCESS


class Sender(SpanProcessor):
    """Holds at most so many spans; `counts` says what became of the others."""

    def __init__(self, export: Export, most: int, counts: Counts = COUNTS) -> None:
        self._counts = counts
        self._export = export
        self._most = most
        self._waiting: deque[ReadableSpan] = deque()
        self._enough = threading.Event()
        self._stopping = False
        self._told, self._told_at = 0, 0.0
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing is done before it has ended."""

    def on_end(self, span: ReadableSpan) -> None:
        if self._stopping or len(self._waiting) >= self._most:
            self._counts.dropped += 1
            return
        self._waiting.append(span)
        if len(self._waiting) >= _BATCH:
            self._enough.set()

    def shutdown(self) -> None:
        """Send what waits, for two seconds at most."""
        self._stopping = True
        self._enough.set()
        self._thread.join(_PARTING_SECONDS)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Whether all that waits is sent within the time."""
        deadline = monotonic() + timeout_millis / 1000
        while self._waiting and monotonic() < deadline:
            self._enough.set()
            threading.Event().wait(0.01)
        return not self._waiting

    def _run(self) -> None:
        while not self._stopping or self._waiting:
            if not self._stopping:
                self._enough.wait(_WAIT_SECONDS)
            self._enough.clear()
            while self._waiting:
                self._send([self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))])
            self._tell()

    def _send(self, spans: Sequence[ReadableSpan]) -> None:
        taken = False
        with contextlib.suppress(Exception):
            taken = self._export(spans)
        if taken:
            self._counts.sent += len(spans)
        else:
            self._counts.dropped += len(spans)

    def _tell(self) -> None:
        dropped = self._counts.dropped
        if dropped > self._told and monotonic() - self._told_at > _TELL_SECONDS:
            log.warning("spans_dropped", count=dropped - self._told)
            self._told, self._told_at = dropped, monotonic()
