"""uvicorn's HTTP/1.1 with an end to everything that a client can make long, large or many.

The parser stays httptools'. What is refused here never reaches the application.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from http import HTTPStatus
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from neonblue.serving.limits import SINGLE_FIELDS, ConnectionLimits
from neonblue.serving.watch import Watch

Fields = list[tuple[bytes, bytes]]

_WATCHES: WeakKeyDictionary[ServerState, Watch] = WeakKeyDictionary()
_ENDING: WeakSet[ServerState] = WeakSet()
_PER_FIELD = 4
"""Bytes of a field beside its name and value."""
_PARTING_SECONDS = 2.0
"""A refused client may still be sending: closed at once, it would see a reset connection and no answer."""


class Stage(Enum):
    """Where the client is: it sends nothing, a head, a body, or whatever it likes, since it was refused."""

    BETWEEN = 0
    HEAD = 1
    BODY = 2
    REFUSED = 3


class Refusal(NamedTuple):
    """Why a connection ends. code: stable. text: what to do."""

    status: int
    code: str
    text: str


class RefusedError(Exception):
    """Ends the parsing. Raised in a callback of the parser."""


_BETWEEN, _HEAD, _BODY, _REFUSED = Stage  # names of the module: looking into an enumeration is slow
_MEASURED = frozenset({_HEAD, _BODY})
_DEFAULT = ConnectionLimits()
_UNREADABLE = Refusal(400, "bad_request", "Invalid HTTP request received.")
_FULL = Refusal(503, "too_many_connections", "Too many connections are open: try again in a moment")
_SLOW_HEAD = Refusal(408, "request_timeout", "The head of the request took too long")
_SLOW_BODY = Refusal(408, "request_timeout", "The body of the request came too slowly")


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `limits` are the server's."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.asked = False
        self.leaving = False  # whether the server ends
        self.stage = _BETWEEN
        self._bounds = self.limits()
        self._watch = _watch_of(self.server_state, self._bounds, self.loop)
        self._moved = False  # whether the bytes at hand brought the request on
        self._before: object = None  # the cycle of the request before this one
        self._trailers = 0  # bytes of fields behind the body
        self._unparsed = 0  # bytes that came and were neither a whole field nor a part of a body
        self._taken = 0  # bytes of the body
        self._surplus = 0  # of them, those after the answer
        self._waited = 0.0  # seconds in this stage
        self._silent = 0.0  # of them, those since the last byte
        self._unread: tuple[int, float] | None = None  # bytes of an answer not taken, and for how long
        self._refusal = _UNREADABLE

    def limits(self) -> ConnectionLimits:
        return _DEFAULT

    def refusal_answer(self, refusal: Refusal) -> tuple[Fields, bytes]:
        """Header fields and body of what a refused client is told."""
        return [(b"content-type", b"text/plain; charset=utf-8")], f"{refusal.text}\n".encode()

    # What asyncio calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.server_state in _ENDING:
            self.leave()
        if self._watch.admit(self, self.client[0] if self.client else ""):
            return
        if self._watch.turn_away(self):
            self._refuse(_FULL)
        else:
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.stage is _REFUSED:
            return
        self._moved, self._silent = False, 0.0
        super().data_received(data)
        if not self._moved and self.stage in _MEASURED:
            self._unparsed += len(data)
            if self._unparsed > self._bounds.head + self._bounds.url:
                self._refuse(_too_large(self._bounds))
        else:
            self._unparsed = 0

    def handle_websocket_upgrade(self) -> None:
        """From here on another protocol has the connection."""
        self._watch.leave(self)
        super().handle_websocket_upgrade()

    def shutdown(self) -> None:
        end_keeping(self.server_state)
        self.leave()

    def leave(self) -> None:
        """The server ends: the next answer is the connection's last one, and says so.

        Closed while it seems idle, it would meet requests that are on their way: their clients see a reset connection,
        and can't know whether they were heard. So it is closed only after a time without any.
        """
        if not self._bounds.parting:
            super().shutdown()
            return
        self.leaving = True
        self.timeout_keep_alive = self._bounds.parting  # type: ignore[assignment]
        if not self._has_ended():
            last = self.pipeline[0][0] if self.pipeline else self.cycle
            if not last.response_started:
                last.keep_alive = False
        elif self.stage is _BETWEEN:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def resume_writing(self) -> None:
        self._unread = None
        super().resume_writing()

    # What the parser calls

    def on_message_begin(self) -> None:
        self._enter(_HEAD)
        self._before = self.cycle
        self._trailers = self._taken = self._surplus = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._bounds.url:
            most = self._bounds.url
            self._stop(Refusal(414, "url_too_long", f"An address is at most {most} bytes: use the body"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.stage is _BODY:  # a trailer: nobody checked it, and nothing here needs one
            self._trailers += len(name) + len(value) + _PER_FIELD
            if self._trailers > self._bounds.head:
                self._stop(_too_large(self._bounds))
            return
        if len(self.headers) >= self._bounds.fields:
            self._stop(_too_large(self._bounds))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self.head_is_complete()
        self.take_request()

    def take_request(self) -> None:
        """Hand the request on, whose head is complete."""
        super().on_headers_complete()
        if self.leaving and self.cycle is not None:
            self.cycle.keep_alive = False

    def head_is_complete(self) -> None:
        """Raises RefusedError."""
        names, size = set(), 0
        for name, value in self.headers:
            names.add(name)
            size += len(name) + len(value) + _PER_FIELD
        if size > self._bounds.head:
            self._stop(_too_large(self._bounds))
        if len(names) < len(self.headers):
            self._check_repeated()
        self.asked = True
        self._enter(_BODY)

    def _check_repeated(self) -> None:
        seen: set[bytes] = set()
        for name, _ in self.headers:
            if name in seen and name in SINGLE_FIELDS:
                self._stop(Refusal(400, "repeated_field", f"Send the field {name.decode()} once"))
            seen.add(name)

    def on_body(self, body: bytes) -> None:
        self._moved = True
        self._taken += len(body)
        if self.cycle.response_complete:
            self._surplus += len(body)
            if self._surplus > self._bounds.surplus:
                self._stop(_UNREADABLE)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.message_is_complete()
        super().on_message_complete()

    def message_is_complete(self) -> None:
        self._enter(_BETWEEN)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        self._refuse(self._refusal)

    # What the watch calls

    def cut(self) -> None:
        self.transport.abort()

    def look(self, seconds: float) -> None:
        if self._answer_stands(seconds):
            self.cut()
        elif self.transport.is_closing():
            return
        elif self.stage is _REFUSED:
            self._waited += seconds
            if self._waited > _PARTING_SECONDS and self._has_ended():
                self.cut()
        elif not self.flow.read_paused:
            self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        """The client is to send something."""
        bounds = self._bounds
        self._waited += seconds
        if self.stage is _BETWEEN:
            if not self._has_ended() or self.timeout_keep_alive_task is not None:
                self._waited = 0.0
            elif self._waited > bounds.first_request:
                self.transport.close()
        elif self.stage is _HEAD:
            if self._waited > bounds.head_time:
                self._refuse(_SLOW_HEAD)
        elif self._is_answered():
            if self._waited > bounds.surplus_time:
                self.transport.close()
        elif self.cycle is not None and self.cycle.waiting_for_100_continue:
            self._waited = 0.0
        else:
            self._silent += seconds
            due = (self._waited - bounds.silence) * bounds.rate
            if self._silent > bounds.silence or self._taken < due:
                self._refuse(_SLOW_BODY)

    def _answer_stands(self, seconds: float) -> bool:
        """Whether the client has long taken too little of an answer."""
        size = self.transport.get_write_buffer_size()
        if not size or not (self.flow.write_paused or self.transport.is_closing()):
            self._unread = None
            return False
        before, waited = self._unread or (size, -seconds)
        waited += seconds
        if waited < self._bounds.unread:
            self._unread = before, waited
            return False
        self._unread = None
        return before - size < self._bounds.unread * self._bounds.rate

    def _has_ended(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.disconnected

    def _is_answered(self) -> bool:
        """Whether the request that is still being read has its answer."""
        return self.cycle is not self._before and self._has_ended()

    def _enter(self, stage: Stage) -> None:
        self.stage, self._moved = stage, True
        self._waited = self._silent = 0.0

    def _stop(self, refusal: Refusal) -> None:
        """Raises RefusedError, on which uvicorn asks for the answer."""
        self._refusal = refusal
        raise RefusedError(refusal.text)

    def _refuse(self, refusal: Refusal) -> None:
        """The last answer of the connection, where no other one is being given."""
        in_body, ended = self.stage is _BODY, self._has_ended()
        self._enter(_REFUSED)
        if not ended and not in_body:  # an earlier request's answer comes first
            self.cycle.keep_alive = False
        elif (in_body and self._is_answered()) or (
            not ended and (self.pipeline or self.cycle.response_started)
        ):
            self.transport.close()
        elif not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self.transport.write(self._answer_of(refusal))
            if not ended:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            if self.transport.can_write_eof():
                self.transport.write_eof()

    def _answer_of(self, refusal: Refusal) -> bytes:
        fields, body = self.refusal_answer(refusal)
        if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
            fields = [*fields, (b"retry-after", b"1")]
        fields = [*fields, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        status = b"HTTP/1.1 %d %s\r\n" % (refusal.status, HTTPStatus(refusal.status).phrase.encode())
        return status + b"".join([b"%b: %b\r\n" % field for field in fields]) + b"\r\n" + body


def end_keeping(state: ServerState) -> None:
    """Let every connection of this server that comes from now on be closed after its first answer."""
    _ENDING.add(state)


def _too_large(bounds: ConnectionLimits) -> Refusal:
    text = f"The head of a request has at most {bounds.fields} fields and {bounds.head} bytes"
    return Refusal(431, "head_too_large", text)


def _watch_of(state: ServerState, limits: ConnectionLimits, loop: asyncio.AbstractEventLoop) -> Watch:
    watch = _WATCHES.get(state)
    if watch is None:
        watch = _WATCHES[state] = Watch(limits, loop)
    return watch
