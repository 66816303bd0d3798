"""Looking for newer configurations from a background thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

from neonblue.bucketing.document import ConfigurationDocument
from neonblue.client.errors import ClientError, UnavailableError
from neonblue.client.local import LocalEvaluator, until_next_look
from neonblue.client.quiet_log import log


class Refresher:
    """Keeps an evaluator's configuration fresh from a background thread."""

    def __init__(
        self, evaluator: LocalEvaluator, fetch: Callable[[], ConfigurationDocument | None], seconds: float
    ) -> None:
        self._evaluator = evaluator
        self._fetch = fetch
        self._seconds = seconds
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew: a forked child has the configuration, but no thread."""
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failure: ClientError | None = None

    def start(self) -> None:
        """Have a configuration and a thread that looks for newer ones.

        The first call downloads it. Raises ClientError where that fails; until the thread has better luck, later
        calls do so at once: nobody waits twice for an API that is away.
        """
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    if not self._evaluator.ready:
                        self._look()
                    self._thread = threading.Thread(
                        target=self._run, name="neonblue-configuration", daemon=True
                    )
                    self._thread.start()
        if not self._evaluator.ready:
            raise UnavailableError(f"there is no configuration yet: {self._failure}") from self._failure

    def stop(self) -> None:
        """End the thread. One that is in the middle of a request is left to its end."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(until_next_look(self._evaluator, self._seconds)):
            self._look()

    def _look(self) -> None:
        try:
            self._evaluator.install(self._fetch())
        except ClientError as error:  # the configuration at hand stays good
            self._failure = error
            if self._ended.is_set():
                return
            log.warning("configuration_not_refreshed", error=str(error))
