"""Delivers alerts to one address, in a thread of its own: an address that hangs or refuses holds up nobody else."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict

import structlog
from pydantic import SecretStr

from neonblue.alerting import Alert, Severity, deliver_within

_log = structlog.get_logger("neonblue.stack")

LIMIT_SECONDS = 30.0
_MOST = 100
_TRIES = 10
_FIRST_DELAY = 10.0
_LONGEST_DELAY = 300.0


class Mailbox(threading.Thread):
    """What waits to be delivered, one alert for each subject: a newer one takes the place of an older."""

    def __init__(self, url: SecretStr, number: int, stopping: threading.Event) -> None:
        super().__init__(name=f"alerts-{number}", daemon=True)
        self._url = url
        self._number = number
        self._stopping = stopping
        self._waiting: OrderedDict[str, Alert] = OrderedDict()
        self._on_its_way: Alert | None = None
        self._changed = threading.Condition()

    def put(self, alert: Alert) -> None:
        """Deliver it as soon as may be. That a trouble is over which nobody was told of is not told either."""
        with self._changed:
            before = self._waiting.pop(alert.subject, None)
            unheard = before is not None and before is not self._on_its_way
            if alert.severity is not Severity.SUCCESS or not unheard:
                self._waiting[alert.subject] = alert
            while len(self._waiting) > _MOST:
                self._waiting.popitem(last=False)
            self._changed.notify()

    def run(self) -> None:
        tries = 0
        while not self._stopping.is_set():
            with self._changed:
                if not self._waiting:
                    self._changed.wait(1.0)
                    continue
                subject, alert = next(iter(self._waiting.items()))
                self._on_its_way = alert
            try:
                deliver_within([self._url], alert, LIMIT_SECONDS)
            except Exception as error:
                tries += 1
                self._on_its_way = None
                self._refused(alert, tries, str(error))
                if tries < _TRIES:
                    self._stopping.wait(min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** (tries - 1)))
                    continue
            tries = 0
            with self._changed:
                self._on_its_way = None
                if self._waiting.get(subject) is alert:
                    del self._waiting[subject]

    def _refused(self, alert: Alert, tries: int, reason: str) -> None:
        # A log that can't be written must not end the thread.
        with contextlib.suppress(Exception):
            _log.warning(
                "alert_not_delivered", address=self._number, subject=alert.subject, tries=tries, reason=reason
            )
