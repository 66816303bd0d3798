"""A collector for tests: takes OTLP over HTTP, in the real protobuf, and keeps the spans."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Seen:
    """One span. Ids in hexadecimal; `start`, `end`: seconds since 1970."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent: str
    links: tuple[str, ...]
    attributes: dict[str, str]
    failed: bool
    start: float
    end: float


@dataclass
class Collector:
    """What came. `busy_seconds`: how long it takes for each post; `status`: what it answers."""

    port: int = 0
    busy_seconds: float = 0.0
    status: int = 200
    spans: list[Seen] = field(default_factory=list)
    posts: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[Seen]:
        return [span for span in self.spans if span.name == name]

    def wait_for(self, found: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not found():
            assert time.monotonic() < deadline, sorted({span.name for span in self.spans})
            time.sleep(0.05)

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = {one.key: one.value.string_value for one in resource.resource.attributes}[
                "service.name"
            ]
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Seen(
                            service,
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            tuple(link.span_id.hex() for link in span.links),
                            {one.key: _text(one.value) for one in span.attributes},
                            span.status.code == 2,
                            span.start_time_unix_nano / 1e9,
                            span.end_time_unix_nano / 1e9,
                        )
                    )


def _text(value: object) -> str:
    return str(getattr(value, value.WhichOneof("value")))  # type: ignore[attr-defined]


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, collector: Collector, *arguments: object) -> None:
        self._collector = collector
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        collector = self._collector
        collector.posts += 1
        time.sleep(collector.busy_seconds)
        if collector.status == 200 and self.path == "/v1/traces":
            assert self.headers["Content-Type"] == "application/x-protobuf"
            collector.take(body)
        answer = ExportTraceServiceResponse().SerializeToString()
        with contextlib.suppress(ConnectionError):  # of one that did not wait for a slow answer
            self.send_response(collector.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""
    collector = Collector()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, collector))
    server.daemon_threads = True
    collector.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
