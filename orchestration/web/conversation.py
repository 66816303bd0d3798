"""One WebSocket: what it starts is judged, and it ends when the caller's session does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.web import operations
from orchestration.web.callers import Caller
from orchestration.web.refusals import Refusal

_LOOK_SECONDS = 3.0
_POLICY = 1008
_ENDED = (401, 403)


class Conversation:
    """Between a browser and Dagster. look: who the caller is now; raises Refusal for nobody."""

    def __init__(self, receive: Receive, send: Send, look: Callable[[], Awaitable[Caller]]) -> None:
        self._receive = receive
        self._send = send
        self._look = look

    async def carry(self, dagster: ASGIApp, scope: Scope) -> None:
        """Pass messages until either side closes, a message breaks a rule, or the session has ended."""
        talk = asyncio.ensure_future(dagster(scope, self._next, self._send))
        watch = asyncio.ensure_future(self._until_ended())
        try:
            done, _ = await asyncio.wait((talk, watch), return_when=asyncio.FIRST_COMPLETED)
            if talk in done:
                with suppress(Refusal):
                    talk.result()
                    return
        finally:
            for task in (talk, watch):
                task.cancel()
            await asyncio.gather(talk, watch, return_exceptions=True)
        await self._send({"type": "websocket.close", "code": _POLICY})

    async def _until_ended(self) -> None:
        """Return when nobody is signed in any more. An API that can't be asked ends nothing."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._look()
            except Refusal as refusal:
                if refusal.status in _ENDED:
                    return

    async def _next(self) -> Message:
        """The next message that may pass. Raises Refusal, which closes, for one of no protocol."""
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return message
            text = message.get("text")
            read = operations.read_message(message["bytes"] if text is None else text)
            if read.request is None or not await asyncio.to_thread(read.request.changes):
                return {"type": "websocket.receive", "text": read.text()}
            refused = {"message": "A change is sent by POST, not through a WebSocket"}
            said = json.dumps({"type": "error", "id": read.id, "payload": refused})
            await self._send({"type": "websocket.send", "text": said})
