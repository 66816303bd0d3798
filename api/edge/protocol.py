"""uvicorn's HTTP/1.1 with one call answered where its last byte arrives, before any task is made for it.

Of a call that memory answers, more than half was spent on what lets a call wait, and most of the rest on reading the
same header again. Only the plainest form of the call is taken here; everything else, and every other call, is uvicorn's
as it was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from api.edge.at_once import Application, AtOnce, Call
from api.edge.hot import ASSIGNMENTS, WAITED
from api.http.body import Headers
from api.http.head import new_request_id
from api.http.headers import OF_HOT_ANSWERS, on_the_wire
from api.http.problems import CONTENT_TYPE, Problem
from api.metrics import REQUESTS
from neonblue.serving.limits import ConnectionLimits
from neonblue.serving.protocol import BoundedProtocol, Fields, Refusal, Stage
from neonblue.serving.waiting import since_data_came

_PATH = ASSIGNMENTS.encode()
_START = b"POST %b HTTP/1.1\r\n" % _PATH
_LONGEST_HEAD = 2_048
_LONGEST_BODY = 4_096
_END = b"\r\n\r\n"
_BETWEEN = Stage.BETWEEN
_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d%b%b\r\n\r\n%b"
_UNUSUAL = frozenset({b"origin", b"content-encoding", b"transfer-encoding", b"expect"})


class Protocol(BoundedProtocol):
    """One connection.

    Clients repeat themselves: a request whose head is, byte for byte, one that was read before is not read again. The
    parser, which never sees such a request, must stand between two others.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        application = self.config.loaded_app
        self._at_once: AtOnce | None = application.at_once if isinstance(application, Application) else None
        self._arrived = b""  # with the request's first byte; nothing where that came later
        self._call: Call | None = None  # of the request that is being read
        self._body = b""
        self._answered_at = 0.0

    def limits(self) -> ConnectionLimits:
        application = self.config.loaded_app
        return application.connections if isinstance(application, Application) else super().limits()

    def refusal_answer(self, refusal: Refusal) -> tuple[Fields, bytes]:
        REQUESTS.add("unknown", str(refusal.status))
        request_id = new_request_id()
        fields = [(b"content-type", CONTENT_TYPE.encode()), (b"x-request-id", request_id.encode())]
        return [*fields, *OF_HOT_ANSWERS], Problem(refusal.status, refusal.code, refusal.text).body(
            request_id
        )

    def leave(self) -> None:
        self._at_once = None  # what it answers does not say that the connection ends
        if isinstance(self.config.loaded_app, Application):
            self.config.loaded_app.leave()
        super().leave()

    def data_received(self, data: bytes) -> None:
        between = self.stage is _BETWEEN
        if between and data.startswith(_START) and self._is_known(data):
            return
        self._arrived = data if between else b""
        super().data_received(data)
        self._arrived = b""

    def on_headers_complete(self) -> None:
        self.head_is_complete()
        self._call = self._plain_call()
        if self._call is None:
            self.take_request()

    def take_request(self) -> None:
        self.scope[WAITED] = self._waited_for_us  # type: ignore[literal-required]
        super().take_request()

    def _waited_for_us(self) -> timedelta:
        return since_data_came(self.transport)

    def on_body(self, body: bytes) -> None:
        if self._call is None:
            super().on_body(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        self.message_is_complete()
        call, self._call = self._call, None
        if call is None:
            super().on_message_complete()
            return
        body, self._body = self._body, b""
        if self._at_once is not None and self._answer(call, body):
            self.on_response_complete()
            self._know(call)
        else:
            self.take_request()
            super().on_body(body)
            super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Known requests leave the timer as it is; here is seen whether it is really due."""
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _is_known(self, data: bytes) -> bool:
        """Whether this is one whole request whose head is known, and is answered now."""
        if self._at_once is None:
            return False
        end = data.find(_END, 0, _LONGEST_HEAD)
        call = self._at_once.heads.get(data[:end])
        start = end + len(_END)
        if call is None or len(data) != start + call.length or not self._idle():
            return False
        if not self._answer(call, data[start:]):
            return False
        self.server_state.total_requests += 1
        self.asked = True
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_handler()
        return True

    def _know(self, call: Call) -> None:
        """Remember the head of a request that came as one piece, from its first byte to its last."""
        end = self._arrived.find(_END, 0, _LONGEST_HEAD)
        if end >= 0 and len(self._arrived) == end + len(_END) + call.length and self._at_once is not None:
            self._at_once.heads.put(self._arrived[:end], call)

    def _idle(self) -> bool:
        """Whether no request before this one is still under way, and the client reads its answers."""
        return (self.cycle is None or self.cycle.response_complete) and not self.flow.write_paused

    def _plain_call(self) -> Call | None:
        """The request that is being read, where it is plain and short."""
        parser, at_once = self.parser, self._at_once
        if at_once is None or self.url != _PATH or not self._idle():
            return None
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        if parser.should_upgrade() or not parser.should_keep_alive():
            return None
        fields: Headers = dict(self.headers)
        length = fields.get(b"content-length", b"")
        if not length.isdigit() or int(length) > _LONGEST_BODY or not _UNUSUAL.isdisjoint(fields):
            return None
        caller = at_once.caller(fields)
        return None if caller is None else Call(caller, int(length))

    def _answer(self, call: Call, body: bytes) -> bool:
        """Whether memory knew the answer."""
        assert self._at_once is not None  # noqa: S101 - else there is no call
        response = self._at_once.answer(call.caller, body)
        if response is None:
            return False
        common = on_the_wire(self.server_state.default_headers)
        self.transport.write(_OK % (len(response.body), common, response.fields, response.body))
        return True
