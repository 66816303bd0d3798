"""What the product tells of its troubles, and when: the record, ``/readyz``, the supervisor's log, alerts."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from neonblue.faults.own_stack import OwnStack
from neonblue.log_lines import read
from neonblue.stack.supervisor import logs
from neonblue.stack.supervisor.board import State

LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Telling:
    """One thing that was told. `at`: seconds of the monotonic clock. `way`: status, readyz, log or alert."""

    at: float
    way: str
    text: str

    def names(self, names: Sequence[str]) -> bool:
        """Whether one of these stands in it as a word; an underscore parts words."""
        text = self.text.lower()
        return any(re.search(f"(?<![a-z0-9-]){re.escape(name)}(?![a-z0-9-])", text) for name in names)


def first(tellings: Iterable[Telling], names: Sequence[str], began: float, until: float) -> Telling | None:
    """The first telling between two moments that names one of these. Pure."""
    return next(
        (one for one in tellings if began <= one.at <= until and one.names(names)),
        None,
    )


class AlertListener:
    """Takes the alerts of one stack, as a receiver of JSON does."""

    def __init__(self) -> None:
        self.tellings: list[Telling] = []
        handler = partial(_Handler, self.tellings)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="alerts", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """As Apprise writes it."""
        return f"json://127.0.0.1:{self._server.server_port}/"

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, tellings: list[Telling], *arguments: object) -> None:
        self._tellings = tellings
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with contextlib.suppress(ValueError):
            body = json.dumps(json.loads(body), ensure_ascii=False).encode()
        self._tellings.append(Telling(time.monotonic(), "alert", body.decode(errors="replace")))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is logged of them."""


class Watch(threading.Thread):
    """Looks at the stack twice a second and keeps what it tells."""

    def __init__(self, stack: OwnStack, alerts: AlertListener) -> None:
        super().__init__(name="watch", daemon=True)
        self._stack = stack
        self._alerts = alerts
        self._tellings: list[Telling] = []
        self._restarts: dict[str, int] = {}
        self._log = _Tail(logs.path(stack.folder, "supervisor"))
        self._end = threading.Event()
        self.served = False
        """Whether ``/readyz`` said at the last look that events are taken."""

    def run(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            # A watcher that ended would call every trouble untold.
            with contextlib.suppress(OSError, ValueError):
                self._look()

    def stop(self) -> None:
        """Look no more."""
        self._end.set()
        self.join(timeout=5)

    def tellings(self) -> list[Telling]:
        """Everything that was told so far, in the order of time."""
        return sorted([*self._tellings, *self._alerts.tellings], key=lambda one: one.at)

    def _look(self) -> None:
        now = time.monotonic()
        for way, text in [*self._status(), *self._readyz(), *(("log", line) for line in self._log.lines())]:
            self._tellings.append(Telling(now, way, text))

    def _status(self) -> list[tuple[str, str]]:
        told = []
        if not self._stack.supervised:
            told.append(("status", "the supervisor does not run"))
        for one in self._stack.statuses():
            if one.state != State.READY:
                told.append(("status", f"{one.name} {one.state} {one.detail}"))
            if one.restarts > self._restarts.get(one.name, one.restarts):
                told.append(("status", f"{one.name} was restarted"))
            self._restarts[one.name] = one.restarts
        return told

    def _readyz(self) -> list[tuple[str, str]]:
        try:
            with self._stack.client() as http:
                answer = http.get("/readyz")
                readiness = answer.json()
        except (httpx.HTTPError, ValueError):
            self.served = False
            return []
        self.served = answer.is_success
        parts = {name: state for name, state in readiness.get("components", {}).items() if state != "ok"}
        return [("readyz", f"{name}: {state}") for name, state in parts.items()]


class _Tail:
    """Reads what is added to a file, also when it is replaced by a shorter one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def lines(self) -> list[str]:
        if not self._path.exists():
            return []
        if self._path.stat().st_size < self._at:
            self._at = 0
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        lines = map(read, whole.decode(errors="replace").splitlines())
        return [line.readable() for line in lines if line is not None and line.serious]
