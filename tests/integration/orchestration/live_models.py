"""The models that the watch over guardrails reads: built, and brought up to what has come since."""

from __future__ import annotations

from datetime import datetime

from orchestration.defs.guardrails.repository import read_watermark
from tests.integration.dbt import dbt
from tests.integration.dbt_project.conftest import REFRESHED
from tests.integration.orchestration.conftest import LIVE_DATABASE, Analysis
from tests.waiting import until

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


def count_up_to(server: Analysis, newest: datetime) -> None:
    """Refresh until what was accepted at `newest` is known to be counted: that lags by all that the refreshes take."""

    def is_counted() -> bool:
        refresh(server)
        watermark = read_watermark(server.client)
        return watermark is not None and watermark >= newest

    until(is_counted, f"the live models count what was accepted at {newest}", poll_seconds=0)
