"""When the error rates are measured."""

from dagster import DefaultScheduleStatus, ScheduleDefinition

from orchestration.defs.experiments.schedules import has_results
from orchestration.jobs import calibration

weekly_calibration = ScheduleDefinition(
    name="weekly_calibration",
    job=calibration,
    cron_schedule="30 3 * * 0",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    should_execute=has_results,
    description="Every Sunday at 03:30 UTC.",
)
