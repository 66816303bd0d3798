"""What Alertmanager hands over, as a message to people. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from neonblue.alerting import Alert, Severity

_MOST = 10
_SEVERITIES = {"critical": Severity.FAILURE, "warning": Severity.WARNING}


class Told(msgspec.Struct, frozen=True):
    """One alert of a group: firing, or resolved."""

    status: str
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


class Group(msgspec.Struct, frozen=True):
    """Alerts of one name, as Alertmanager's webhook has them (version 4)."""

    status: str
    alerts: list[Told]
    commonLabels: Mapping[str, str] = {}  # noqa: N815 - Alertmanager's name

    @property
    def name(self) -> str:
        return self.commonLabels.get("alertname", "alert")


def message(group: Group) -> Alert:
    """One message for the group: what the user sees, and the page that says what to do."""
    firing = [alert for alert in group.alerts if alert.status == "firing"]
    over = group.status != "firing"
    told = group.alerts if over else firing
    sentences = list(dict.fromkeys(alert.annotations.get("summary", group.name) for alert in told))
    lines = sentences[:_MOST]
    if len(sentences) > _MOST:
        lines.append(f"… and {len(sentences) - _MOST} more")
    pages = dict.fromkeys(page for alert in told if (page := alert.annotations.get("runbook_url")))
    severity = Severity.SUCCESS if over else _severity(firing)
    title = f"NeonBlue: {group.name} is over" if over else f"NeonBlue: {group.name}"
    body = [*(f"It was: {line}" if over else line for line in lines), *([] if over else pages)]
    return Alert(f"alert/{group.name}", title, "\n".join(body), severity)


def _severity(alerts: list[Told]) -> Severity:
    """The worst of them."""
    found = {_SEVERITIES.get(alert.labels.get("severity", ""), Severity.FAILURE) for alert in alerts}
    return Severity.FAILURE if Severity.FAILURE in found or not found else Severity.WARNING
