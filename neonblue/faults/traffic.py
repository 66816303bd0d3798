"""The load and its proxy, in an event loop of their own thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future

from neonblue.faults.load import Load, Way
from neonblue.faults.notes import Notes
from neonblue.faults.proxy import Proxy, Weather

_START_SECONDS = 60.0
_STOP_SECONDS = 90.0


class Traffic:
    """Starts at `start`, and sends until `stop`."""

    def __init__(self, way: Way, port: int, seed: int, rate: float) -> None:
        """`way`: the API's address and token; `port`: where the proxy passes its clients on to."""
        self.notes = Notes()
        self._way, self._port, self._seed, self._rate = way, port, seed, rate
        self._started: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._proxy: Proxy | None = None
        self._load: Load | None = None
        self._thread = threading.Thread(target=self._work, name="traffic", daemon=True)

    def start(self) -> None:
        """Return once the first requests are on their way. Raises ClientError, TimeoutError."""
        self._thread.start()
        self._started.result(_START_SECONDS)

    def stop(self) -> BaseException | None:
        """Send no more, and wait for what is under way; what ended the load before its time. Harmless when stopped."""
        if self._loop is None or self._load is None:
            return None
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has stopped
            self._loop.call_soon_threadsafe(self._load.stop)
        self._thread.join(_STOP_SECONDS)
        return self._ended.exception() if self._ended.done() else TimeoutError("it did not end")

    def change_weather(self, weather: Weather) -> None:
        """From now on this happens to the clients' connections."""
        if self._proxy is not None:
            self._proxy.weather = weather

    def reset_connections(self) -> None:
        """Reset those that are open now."""
        if self._loop is not None and self._proxy is not None:
            self._loop.call_soon_threadsafe(self._proxy.reset)

    def _work(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            for waiting in (self._started, self._ended):
                if not waiting.done():
                    waiting.set_exception(error)
        else:
            self._ended.set_result(None)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._proxy = await Proxy(self._port, self._seed).start()
        way = Way(f"http://127.0.0.1:{self._proxy.port}", self._way.token)
        self._load = Load(way, self._seed, self._rate, self.notes)
        try:
            await self._load.run(lambda: self._started.set_result(None))
        finally:
            await self._proxy.stop()
