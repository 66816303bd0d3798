"""Tells each trouble once until it is over or bears repeating."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from dagster import ConfigurableResource, DagsterInstance

from neonblue.alerting import Alert, deliver, is_due
from neonblue.settings import Settings

_MEMORY = "neonblue/alert/{}"

log = structlog.get_logger("orchestration.alerts")


class Alerts(ConfigurableResource[None]):
    """Tells people. What was told when is kept in Dagster's own storage."""

    def tell(self, instance: DagsterInstance, alert: Alert) -> bool:
        """Deliver the alert unless it was told lately; whether it was told now.

        Raises ``RuntimeError`` when an address does not take it: then it counts as not told.
        """
        settings, now = Settings.load().alert, datetime.now(UTC)
        if not is_due(_told_at(instance, alert.subject), now, timedelta(minutes=settings.repeat_minutes)):
            return False
        log.warning("alert", subject=alert.subject, title=alert.title, severity=alert.severity.value)
        deliver(settings.urls, alert)
        _remember(instance, alert.subject, now.isoformat())
        return True

    def over(self, instance: DagsterInstance, subject: str) -> None:
        """The trouble is over: if it comes back, it is told at once."""
        if _told_at(instance, subject) is not None:
            _remember(instance, subject, "")


def _told_at(instance: DagsterInstance, subject: str) -> datetime | None:
    key = _MEMORY.format(subject)
    value = instance.daemon_cursor_storage.get_cursor_values({key}).get(key)
    return datetime.fromisoformat(value) if value else None


def _remember(instance: DagsterInstance, subject: str, value: str) -> None:
    instance.daemon_cursor_storage.set_cursor_values({_MEMORY.format(subject): value})
