"""The models that the watch over guardrails reads: built, and brought up to what has come since."""

from __future__ import annotations

from datetime import datetime

from tests.integration.dbt import dbt
from tests.integration.dbt_project.conftest import REFRESHED
from tests.integration.orchestration.conftest import LIVE_DATABASE, Analysis

_MODELS = ("+live_metric_moments", "+live_unit_metric_values", "+closings")


def build(server: Analysis, open_at: datetime) -> None:
    """Build what was sent, with the hours before `open_at` closed."""
    run = dbt(server.settings, "run", "--select", *_MODELS, open_at=f"{open_at:%Y-%m-%d %H:00:00}")
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]


def refresh(server: Analysis) -> None:
    """What ClickHouse does every few seconds, now."""
    for view in (name for name in REFRESHED if name != "open_journeys"):
        server.client.command(f"SYSTEM REFRESH VIEW {LIVE_DATABASE}.{view}")
        server.client.command(f"SYSTEM WAIT VIEW {LIVE_DATABASE}.{view}")
