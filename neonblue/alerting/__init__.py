"""Telling people: what happened, once, by mail, chat or webhook."""

from neonblue.alerting.delivery import deliver, deliver_within
from neonblue.alerting.message import Alert, Severity, is_due

__all__ = ["Alert", "Severity", "deliver", "deliver_within", "is_due"]
