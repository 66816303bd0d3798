"""What people are told, and whether they are to be told again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is, in Apprise's words."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Alert:
    """One message. subject: what the trouble is about; the same trouble has the same subject."""

    subject: str
    title: str
    body: str
    severity: Severity = Severity.FAILURE


def is_due(told_at: datetime | None, now: datetime, repeat: timedelta) -> bool:
    """Whether to tell: never told, or told so long ago that it bears repeating."""
    return told_at is None or now - told_at >= repeat
