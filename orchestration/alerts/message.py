"""What people are told of checks and runs. Pure."""

from __future__ import annotations

from neonblue.alerting import Alert, Severity


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
