"""The exporter's HTTP: `GET /metrics`, `GET /healthz`, and `POST /alerts` for Alertmanager, which shows its token."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from neonblue.alerting import Alert
from neonblue.monitoring.alerts import Group, message

_log = structlog.get_logger("neonblue.monitoring")

_LARGEST = 1024**2
_CLIENT_SECONDS = 15.0


class Server(ThreadingHTTPServer):
    """Serves a registry. `deliver` sees to it that people are told, and does not wait until they are."""

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        registry: CollectorRegistry,
        token: str,
        deliver: Callable[[Alert], None],
    ) -> None:
        super().__init__(address, _Handler)
        self.registry = registry
        self.token = token
        self.deliver = deliver


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = _CLIENT_SECONDS
    server_version = "neonblue"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(HTTPStatus.OK, generate_latest(self.server.registry), CONTENT_TYPE_LATEST)
        elif self.path == "/healthz":
            self._answer(HTTPStatus.OK, b"ok\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        if self.path != "/alerts":
            self._answer(HTTPStatus.NOT_FOUND)
        elif not self._knows_the_token():
            self._answer(HTTPStatus.UNAUTHORIZED)
        else:
            self._answer(self._hand_on())

    def _hand_on(self) -> HTTPStatus:
        """Alertmanager sends to all addresses again what was not answered by a 2xx: each address has its own tries."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            alert = message(msgspec.json.decode(self.rfile.read(int(length)), type=Group))
        except msgspec.MsgspecError:
            return HTTPStatus.BAD_REQUEST
        _log.warning("alert", subject=alert.subject, severity=str(alert.severity), body=alert.body)
        self.server.deliver(alert)
        return HTTPStatus.OK

    def _knows_the_token(self) -> bool:
        """Without a token nobody does."""
        shown, wanted = self.headers.get("authorization", ""), f"Bearer {self.server.token}"
        return bool(self.server.token) and hmac.compare_digest(shown.encode(), wanted.encode())

    def _answer(self, status: HTTPStatus, body: bytes = b"", kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Not a line for each scrape."""
