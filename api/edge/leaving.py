"""One of several processes that can't go on ends itself, and whoever started it starts another."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import structlog

from api.edge.services import Services

log = structlog.get_logger("api.background")

_LOOK_SECONDS = 1.0
_LEAVE_SECONDS = 30.0
"""A process that has not ended in good order by then ends without."""


async def leave_when_hopeless(services: Services) -> None:
    """End this process once it will not get over what is wrong with it. Never returns."""
    while not (hopeless := services.background_hopeless):  # noqa: ASYNC110 - it tells nobody when it changes
        await asyncio.sleep(_LOOK_SECONDS)
    log.error("process_leaves", hopeless=hopeless)
    end = threading.Timer(_LEAVE_SECONDS, os._exit, (1,))
    end.daemon = True
    end.start()
    signal.raise_signal(signal.SIGTERM)
    await asyncio.Event().wait()
