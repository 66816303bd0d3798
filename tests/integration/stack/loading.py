"""Events that the API has acknowledged, sent while something breaks, and whether ClickHouse has them all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from clickhouse_connect.driver.exceptions import Error

from neonblue.clickhouse.client import connect
from neonblue.contract.identifiers import uuid7
from neonblue.settings import Settings
from tests.waiting import until

_PAUSE_SECONDS = 0.1
_TOGETHER = 5


class Load:
    """Sends some 50 events a second for as long as the block lasts, and remembers what was acknowledged."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.acknowledged: set[str] = set()

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _send(self) -> None:
        headers = {"authorization": f"Bearer {self._settings.api.token.get_secret_value()}"}
        with httpx.Client(base_url=self._settings.api.address, headers=headers, trust_env=False) as api:
            while not self._ended.wait(_PAUSE_SECONDS):
                ids = [uuid7() for _ in range(_TOGETHER)]
                try:
                    answer = api.post(
                        "/v1/events", json=[{"id": one, "user_id": "u", "event_type": "x"} for one in ids]
                    )
                except httpx.HTTPError:
                    continue
                if answer.status_code == httpx.codes.OK and answer.json()["accepted"] == _TOGETHER:
                    self.acknowledged.update(ids)

    def goes_on(self, events: int = 50) -> None:
        """Wait until so many more are acknowledged."""
        before = len(self.acknowledged)
        until(lambda: len(self.acknowledged) >= before + events, "more events are acknowledged")

    def missing(self) -> set[str]:
        """What was acknowledged by now and is not in ClickHouse."""
        acknowledged = set(self.acknowledged)
        with connect(self._settings.clickhouse) as client:
            rows = client.query("SELECT toString(event_id) FROM events_processed").result_rows
        return acknowledged - {str(one) for (one,) in rows}

    def arrives(self, seconds: float = 120.0) -> None:
        """Wait until all that was acknowledged by now is in ClickHouse."""
        acknowledged = set(self.acknowledged)
        assert acknowledged

        def all_there() -> bool:
            try:
                return not acknowledged & self.missing()
            except (Error, OSError):  # ClickHouse is being started again
                return False

        until(all_there, "every acknowledged event is in ClickHouse", seconds)


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A webhook: its address as Apprise writes it, and what it has received."""
    received: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"json://127.0.0.1:{server.server_port}/", received
    finally:
        server.shutdown()
        server.server_close()
