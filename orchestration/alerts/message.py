"""What people are told, and whether they are to be told again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is, in Apprise's words."""

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


def failed_check(asset: str, check: str, description: str, *, blocking: bool, page: str) -> Alert:
    """The alert of a failed asset check; `blocking`: its severity is an error."""
    return Alert(
        subject=f"check/{asset}/{check}",
        title=f"Check failed: {check} of {asset}",
        body=f"{description or 'No description.'}\n{page}",
        severity=Severity.FAILURE if blocking else Severity.WARNING,
    )


def failed_run(job: str, error: str, page: str) -> Alert:
    """The alert of a run that failed."""
    return Alert(subject=f"run/{job}", title=f"Run failed: {job}", body=f"{error}\n{page}")
