"""Jobs and when they run."""

from __future__ import annotations

from dagster import AssetSelection, DefaultScheduleStatus, ScheduleDefinition, define_asset_job

everything = define_asset_job(
    "everything",
    selection=AssetSelection.all(),
    description="Builds and tests every model, then the significance tests.",
)

daily = ScheduleDefinition(
    name="daily",
    job=everything,
    cron_schedule="15 0 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day at 00:15 UTC, when the day before is closed.",
)
