"""Delivers alerts to one address, in a thread of its own: an address that hangs or refuses holds up nobody else."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

import structlog
from pydantic import SecretStr

from neonblue.alerting.delivery import deliver_within
from neonblue.alerting.message import Alert, Severity
from neonblue.backoff import backoff

_log = structlog.get_logger("neonblue.alerting")

LIMIT_SECONDS = 30.0
_LOOK_SECONDS = 1.0
_MOST = 100
_TRIES = 10
_FIRST_DELAY = 10.0
_LONGEST_DELAY = 300.0


@dataclass(slots=True)
class _Waiting:
    alert: Alert
    tries: int = 0


class Mailbox(threading.Thread):
    """What waits to be delivered, one alert for each subject: a newer one takes the place of an older.

    One that the address refuses goes behind all others, and holds up none of them.
    """

    def __init__(self, url: SecretStr, number: int, stopping: threading.Event) -> None:
        super().__init__(name=f"alerts-{number}", daemon=True)
        self._url = url
        self._number = number
        self._stopping = stopping
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._on_its_way: _Waiting | None = None
        self._again_at = 0.0
        """Not before then is anything tried that was refused; what is new goes at once."""
        self._changed = threading.Condition()

    def put(self, alert: Alert) -> None:
        """Deliver it as soon as may be. That a trouble is over which nobody was told of is not told either."""
        with self._changed:
            before = self._waiting.pop(alert.subject, None)
            unheard = before is not None and before is not self._on_its_way
            if alert.severity is not Severity.SUCCESS or not unheard:
                self._waiting[alert.subject] = _Waiting(alert)
            while len(self._waiting) > _MOST:
                del self._waiting[max(self._waiting, key=lambda subject: self._waiting[subject].tries)]
            self._changed.notify()

    def run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                one = self._on_its_way = self._next()
                if one is None:
                    self._changed.wait(_LOOK_SECONDS)
                    continue
            try:
                deliver_within([self._url], one.alert, LIMIT_SECONDS)
            except Exception as error:
                one.tries += 1
                self._refused(one, str(error))
                self._later(one)
            else:
                self._delivered(one)

    def _next(self) -> _Waiting | None:
        """What was tried least often, of that what came first; None where it is to wait."""
        one = min(self._waiting.values(), key=lambda waiting: waiting.tries, default=None)
        return one if one is None or not one.tries or time.monotonic() >= self._again_at else None

    def _later(self, one: _Waiting) -> None:
        with self._changed:
            self._on_its_way = None
            self._again_at = time.monotonic() + backoff(one.tries, _FIRST_DELAY, _LONGEST_DELAY)
            if self._waiting.get(one.alert.subject) is one:
                self._waiting.move_to_end(one.alert.subject)
                if one.tries >= _TRIES:
                    del self._waiting[one.alert.subject]

    def _delivered(self, one: _Waiting) -> None:
        """What others were refused for may be over, too."""
        with self._changed:
            self._on_its_way = None
            self._again_at = min(self._again_at, time.monotonic() + _FIRST_DELAY)
            if self._waiting.get(one.alert.subject) is one:
                del self._waiting[one.alert.subject]

    def _refused(self, one: _Waiting, reason: str) -> None:
        # A log that can't be written must not end the thread.
        with contextlib.suppress(Exception):
            _log.warning(
                "alert_not_delivered",
                address=self._number,
                subject=one.alert.subject,
                tries=one.tries,
                reason=reason,
            )
