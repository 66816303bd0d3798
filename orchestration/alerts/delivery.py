"""Tells each trouble once until it is over or bears repeating."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import structlog
from dagster import ConfigurableResource, DagsterInstance

from neonblue.alerting import Alert, deliver, is_due
from neonblue.settings import Settings
from orchestration.memory import store, stored

_MEMORY = "neonblue/alert/{}"
_OWED = "neonblue/owed/{}"
_MOST_OWED = 100

log = structlog.get_logger("orchestration.alerts")


class Alerts(ConfigurableResource[None]):
    """Tells people. What was told when is kept in Dagster's own storage."""

    def tell(self, instance: DagsterInstance, alert: Alert, *, once: bool = False) -> bool:
        """Deliver the alert unless it was told lately; whether it was told now. once: it bears no repeating.

        Raises ``RuntimeError`` when an address does not take it: then it counts as not told.
        """
        settings, now = Settings.load().alert, datetime.now(UTC)
        repeat = timedelta.max if once else timedelta(minutes=settings.repeat_minutes)
        if not is_due(_told_at(instance, alert.subject), now, repeat):
            return False
        log.warning("alert", subject=alert.subject, title=alert.title, severity=alert.severity.value)
        deliver(settings.urls, alert)
        _remember(instance, alert.subject, now.isoformat())
        return True

    def owe(self, instance: DagsterInstance, teller: str, alert: Alert) -> None:
        """Have it told by the teller's next `tell_owed`: of what is done no later look would find anything.

        teller: who tells, of whom only one is at work at a time. The last hundred are kept.
        """
        key = _OWED.format(teller)
        store(instance, key, msgspec.json.encode([*_owed(instance, key), alert][-_MOST_OWED:]).decode())

    def tell_owed(self, instance: DagsterInstance, teller: str) -> None:
        """Tell all that is owed; what an address does not take stays owed. Raises ``RuntimeError`` as `tell`."""
        key = _OWED.format(teller)
        left = _owed(instance, key)
        while left:
            self.tell(instance, left[0], once=True)
            left = left[1:]
            store(instance, key, msgspec.json.encode(left).decode())

    def over(self, instance: DagsterInstance, subject: str) -> None:
        """The trouble is over: if it comes back, it is told at once."""
        if _told_at(instance, subject) is not None:
            _remember(instance, subject, "")


def _told_at(instance: DagsterInstance, subject: str) -> datetime | None:
    value = stored(instance, _MEMORY.format(subject))
    return datetime.fromisoformat(value) if value else None


def _remember(instance: DagsterInstance, subject: str, value: str) -> None:
    store(instance, _MEMORY.format(subject), value)


def _owed(instance: DagsterInstance, key: str) -> list[Alert]:
    value = stored(instance, key)
    return msgspec.json.decode(value, type=list[Alert]) if value else []
