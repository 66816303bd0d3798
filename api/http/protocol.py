"""uvicorn's HTTP/1.1 with one call answered where its last byte arrives, before any task is made for it.

Of a call that memory answers, more than half was spent on what lets a call wait. Only the plainest form of the call is
taken here; everything else, and every other call, is uvicorn's as it was.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http.at_once import Application, Response
from api.http.body import Headers
from api.http.hot import ASSIGNMENTS

_PATH = ASSIGNMENTS.encode()
_LONGEST_BODY = 4_096
_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
_UNUSUAL = frozenset({b"origin", b"content-encoding", b"transfer-encoding", b"expect"})


class Protocol(HttpToolsProtocol):
    """One connection. `_held`: the body of a call that may be answered at once, as far as it has come; `_fields`: its
    header fields by name."""

    _held: bytes | None = None
    _fields: Headers

    def on_headers_complete(self) -> None:
        if self._may_be_at_once():
            self._held = b""
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._held += body

    def on_message_complete(self) -> None:
        if self._held is None:
            super().on_message_complete()
            return
        body, self._held = self._held, None
        application = self.config.loaded_app
        assert isinstance(application, Application)  # noqa: S101 - else nothing was held
        response = application.at_once.answer(self._fields, body)
        if response is None:
            super().on_headers_complete()
            super().on_body(body)
            super().on_message_complete()
        else:
            self._write(response)
            self.on_response_complete()

    def _may_be_at_once(self) -> bool:
        """Whether nothing is under way on this connection, and the request is plain and short."""
        if (
            self.url != _PATH
            or self.parser.get_method() != b"POST"
            or self.parser.get_http_version() != "1.1"
        ):
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        if self.parser.should_upgrade() or not self.parser.should_keep_alive():
            return False
        if self.flow.write_paused or not isinstance(self.config.loaded_app, Application):
            return False
        self._fields = dict(self.headers)
        length = self._fields.get(b"content-length", b"")
        if not length.isdigit() or int(length) > _LONGEST_BODY:
            return False
        return _UNUSUAL.isdisjoint(self._fields)

    def _write(self, response: Response) -> None:
        parts = [_OK, str(len(response.body)).encode()]
        for name, value in self.server_state.default_headers:
            parts += (b"\r\n", name, b": ", value)
        for name, value in response.fields:
            parts += (b"\r\n", name, b": ", value)
        parts += (b"\r\n\r\n", response.body)
        self.transport.write(b"".join(parts))
