"""What every strike has at hand."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from confluent_kafka.admin import AdminClient

from neonblue.faults.load import Way
from neonblue.faults.notes import Notes
from neonblue.faults.own_stack import OwnStack
from neonblue.faults.proxy import FAIR, Weather
from neonblue.settings import Settings

Healed = Callable[[], bool]
"""Whether what the strike itself broke is whole again; the flow as a whole is looked at besides."""

PATIENCE_SECONDS = 45.0
_POLL_SECONDS = 0.2


class StrikeError(Exception):
    """The fault could not be done; the message says why."""


def at_once() -> bool:
    """Nothing of its own is broken."""
    return True


@dataclass(slots=True)
class Context:
    """The stack, the notes of the load's clients; `stop`: set when the run is to end.

    `change_weather` takes effect at once, also on open connections. `stuck` takes a sentence for what did not end.
    `undo`: what takes a fault back by hand, where neither the product nor a restart does.
    """

    stack: OwnStack
    notes: Notes
    stop: threading.Event
    draw: random.Random
    change_weather: Callable[[Weather], object]
    reset_connections: Callable[[], object]
    stuck: list[str] = field(default_factory=list)
    undo: list[Callable[[], object]] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.stack.settings

    @property
    def way(self) -> Way:
        """Straight to the API."""
        return Way(self.settings.api.address, self.settings.api.token.get_secret_value())

    def hold(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Wait so long, or until that holds, or until the run is to end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not until() and not self.stop.wait(_POLL_SECONDS):
            pass

    def until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for a condition that the strike needs. Raises StrikeError."""
        self.hold(seconds, condition)
        if not condition():
            raise StrikeError(f"not within {seconds:.0f} s: {what}")

    @contextmanager
    def weather(self, weather: Weather) -> Iterator[None]:
        """Meanwhile this is done to the clients' connections."""
        self.change_weather(weather)
        try:
            yield
        finally:
            self.change_weather(FAIR)

    def admin(self) -> AdminClient:
        """Kafka's administrator."""
        quiet: dict[str, str | int | float | bool] = {"log_level": 0, "socket.timeout.ms": 5000}
        return AdminClient({**self.settings.kafka.client("admin"), **quiet})

    def connect(self, method: str, path: str = "", **arguments: object) -> httpx.Response:
        """A call of Kafka Connect about the connector. Raises httpx.HTTPError."""
        connect = self.settings.connect
        with httpx.Client(timeout=15, trust_env=False, auth=connect.credentials) as http:
            address = f"{connect.address}/connectors/{connect.connector}{path}"
            return http.request(method, address, **arguments)  # type: ignore[arg-type]
