"""Looks at one part after another in the background, so that a part that hangs holds up no scrape."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import structlog
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from neonblue.monitoring.samples import Family, Sample, collected

_log = structlog.get_logger("neonblue.monitoring")

SUCCESS = Family(
    "neonblue_look_success", "1 where this part could be looked at, else all it tells is missing", ("source",)
)
SECONDS = Family("neonblue_look_seconds", "How long the last look at this part took", ("source",))
_LATE_SECONDS = 30.0


class Source(Protocol):
    """A part of the platform that is looked at every `seconds`."""

    name: str
    seconds: float

    def look(self) -> Sequence[Sample]:
        """What it is like now. Raises whatever the client library raises."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """The last look: when it ended (monotonic seconds), how long it took, what it found; None: it failed."""

    at: float
    seconds: float
    samples: Sequence[Sample] | None


class Watcher(threading.Thread):
    """Looks at one source for as long as the process lives."""

    def __init__(self, source: Source) -> None:
        super().__init__(name=f"look-{source.name}", daemon=True)
        self.source = source
        self.seen: Seen | None = None
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            self.look()
            self._ended.wait(self.source.seconds)

    def look(self) -> None:
        """Look once. What fails is told once, until it succeeds again."""
        began = monotonic()
        failed = self.seen is not None and self.seen.samples is None
        try:
            samples: Sequence[Sample] | None = self.source.look()
            if failed:
                _log.info("look_succeeds", source=self.source.name)
        except (
            Exception
        ) as error:  # of any client library; an error's text may hold an address with a password
            samples = None
            if not failed:
                _log.warning("look_failed", source=self.source.name, error=type(error).__name__)
        now = monotonic()
        self.seen = Seen(now, now - began, samples)

    def samples(self) -> Iterator[Sample]:
        """What was found, and whether it is of now: nothing old passes for new."""
        seen, name = self.seen, self.source.name
        if seen is None:
            return
        late = monotonic() - seen.at > 2 * self.source.seconds + _LATE_SECONDS
        found = None if late else seen.samples
        yield SUCCESS(found is not None, name)
        yield SECONDS(seen.seconds, name)
        yield from found or ()

    def end(self) -> None:
        self._ended.set()


class Watchers(Collector):
    """All sources, for a registry of prometheus_client."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._watchers = [Watcher(source) for source in sources]

    def start(self) -> None:
        for watcher in self._watchers:
            watcher.start()

    def end(self) -> None:
        for watcher in self._watchers:
            watcher.end()

    def collect(self) -> Iterator[Metric]:
        return collected(sample for watcher in self._watchers for sample in watcher.samples())
