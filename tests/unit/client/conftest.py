"""An HTTP server on a real socket that keeps events by id and fails when told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from neonblue.contract.answers import AssignmentAnswer


@dataclass
class Failure:
    """One answer other than success; status 0 closes the connection after the request was stored."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"title": "no", "code": "test_failure"}'


def assignment(**fields: Any) -> bytes:
    """The API's answer on one unit."""
    nothing = {
        "experiment_id": None,
        "variant_key": None,
        "version": None,
        "assigned_at": None,
        "created": False,
    }
    named = {"experiment": "checkout", "user_id": "ada"}
    return msgspec.json.encode(AssignmentAnswer(**named | nothing | fields))


class RecordingServer:
    """Answers POST /v1/events as the API does; each request first takes a `Failure` from `failures`.

    `answers`: fixed answers of other paths; `asked`: the bodies that were sent there. `configuration`: what GET
    /v1/configuration says, with its revision as tag.
    `clocks`: what each POST said in Sent-At, and when its head was here.
    """

    def __init__(self) -> None:
        self.requests: list[list[dict[str, object]]] = []
        self.stored: dict[str, dict[str, object]] = {}
        self.failures: list[Failure] = []
        self.answers: dict[str, bytes] = {}
        self.configuration: dict[str, object] = {}
        self.clocks: list[tuple[str | None, datetime]] = []
        self.looks: list[int] = []
        self.asked: list[object] = []
        self.gate = threading.Event()
        self.gate.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def store(self, events: list[dict[str, object]]) -> bytes:
        items = []
        for index, event in enumerate(events):
            known = str(event["id"]) in self.stored
            rejected = event["event_type"] == "bad"
            status = "rejected" if rejected else "duplicate" if known else "accepted"
            if status == "accepted":
                self.stored[str(event["id"])] = event
            items.append({"index": index, "id": event["id"], "status": status, "field": "event_type"})
        counts = {
            name: sum(item["status"] == word for item in items)
            for name, word in (
                ("accepted", "accepted"),
                ("duplicates", "duplicate"),
                ("rejected", "rejected"),
            )
        }
        return msgspec.json.encode({**counts, "items": items})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None:
                pass

            def do_GET(self) -> None:
                if not server.configuration:
                    server.looks.append(503)
                    return self.answer(503, b"{}", {})
                tag = f'"{server.configuration["revision"]}"'
                status = 304 if self.headers.get("If-None-Match") == tag else 200
                server.looks.append(status)
                body = msgspec.json.encode(server.configuration) if status == 200 else b""
                return self.answer(status, body, {"ETag": tag})

            def do_POST(self) -> None:
                server.clocks.append((self.headers.get("Sent-At"), datetime.now(UTC)))
                if self.path in server.answers:
                    asked = self.rfile.read(int(self.headers["Content-Length"]))
                    server.asked.append(msgspec.json.decode(asked))
                    return self.answer(200, server.answers[self.path], {})
                body = msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"])))
                server.gate.wait(30)
                server.requests.append(body)
                failure = server.failures.pop(0) if server.failures else None
                if failure is not None and failure.status:
                    return self.answer(failure.status, failure.body, failure.headers)
                answer = server.store(body)
                if failure is not None:
                    self.close_connection = True
                    return None
                return self.answer(200, answer, {})

            def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    running = RecordingServer()
    yield running
    running.close()
