"""Delivers alerts by Apprise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import msgspec
from pydantic import SecretStr

from neonblue.alerting.message import Alert


class Parcel(msgspec.Struct, frozen=True):
    """An alert and where it goes: what a process that delivers reads from its standard input."""

    urls: tuple[str, ...]
    alert: Alert


def deliver(urls: Sequence[SecretStr], alert: Alert) -> None:
    """Send the alert to every address. Raises ``RuntimeError`` when one does not take it."""
    if not urls:
        return
    import apprise

    recipients = apprise.Apprise()
    for url in urls:
        if not recipients.add(url.get_secret_value()):
            raise RuntimeError("alert.urls: an address is none that Apprise knows")
    # As text: what takes HTML would run the lines together, and lose what is in angle brackets.
    if not recipients.notify(
        title=alert.title,
        body=alert.body,
        notify_type=alert.severity.value,
        body_format=apprise.NotifyFormat.TEXT,
    ):
        raise RuntimeError(f"alert.urls: an address did not take the alert {alert.subject}")


def deliver_within(urls: Sequence[SecretStr], alert: Alert, seconds: float) -> None:
    """As `deliver`, in a process of its own that is killed after so long. Raises ``RuntimeError`` then, too."""
    parcel = Parcel(tuple(url.get_secret_value() for url in urls), alert)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "neonblue.alerting"],
            input=msgspec.json.encode(parcel),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        # From None: the error that it would name holds the addresses, and so their secrets.
        raise RuntimeError(f"alert.urls: an address has not taken the alert within {seconds:.0f} s") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise RuntimeError(said[-1] if said else f"the alert {alert.subject} was not delivered")
