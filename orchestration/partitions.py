"""How assets are divided: by UTC day, and by experiment."""

from __future__ import annotations

from datetime import UTC, datetime

from dagster import DailyPartitionsDefinition, DynamicPartitionsDefinition

FIRST_DAY = "2015-01-01"

# The day that is open has a partition too: it is built every hour.
days = DailyPartitionsDefinition(start_date=FIRST_DAY, timezone="UTC", end_offset=1)
experiments = DynamicPartitionsDefinition(name="experiments")


def today(moment: datetime) -> str:
    """The partition of the UTC day of a moment."""
    return moment.astimezone(UTC).date().isoformat()
