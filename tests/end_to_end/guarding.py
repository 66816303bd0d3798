"""A guardrail of errors, the units that met it, and when these are evidence."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from neonblue.analysis import MomentRow
from neonblue.clickhouse.client import connect
from neonblue.contract.messages import ExperimentMessage
from neonblue.guardrails.breaches import breaches
from neonblue.settings import Settings
from orchestration.defs.significance.repository import read_configurations
from tests.waiting import until

WINDOW_SECONDS = 5
PROMISED_SECONDS = 60.0
PACE_SECONDS = 0.25
"""Between two rounds of users: these come steadily, not as fast as a machine can send them."""
BASE_RATE, HARMED_RATE = 0.1, 0.6
ERRORS: dict[str, Any] = {
    "key": "errors",
    "type": "proportion",
    "role": "guardrail",
    "direction": "decrease",
    "event_type": "error",
    "aggregation": "any",
    "window_seconds": WINDOW_SECONDS,
    "margin": "0.1",
    "margin_relative": False,
}


class Unit(NamedTuple):
    """A unit of a guarded experiment. met: when its exposure was certainly over, on the monotonic clock."""

    arm: str
    errs: bool
    met: float


def is_breached(units: list[Unit], configuration: ExperimentMessage, sent: float) -> bool:
    """Whether the confidence sequence excludes the margin, over the units whose window was over at `sent`."""
    rows = []
    for arm in ("control", "treatment"):
        done = [unit.errs for unit in units if unit.arm == arm and unit.met + WINDOW_SECONDS <= sent]
        total = Decimal(sum(done))
        rows.append(MomentRow("errors", 1, arm, configuration.version, date.min, len(done), total, total))
    return bool(breaches(configuration, rows))


def running_configuration(settings: Settings, key: str) -> ExperimentMessage:
    """The experiment's snapshot, once ClickHouse has it as running."""

    def newest() -> ExperimentMessage | None:
        with connect(settings.clickhouse) as clickhouse:
            (versions,) = read_configurations(clickhouse, key).values() or ({},)
        found = versions[max(versions)] if versions else None
        return found if found is not None and found.status == "running" else None

    return until(newest, "the configuration arrives in ClickHouse")
