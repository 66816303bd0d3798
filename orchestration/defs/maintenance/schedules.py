"""When retention and maintenance run."""

from dagster import DefaultScheduleStatus, ScheduleDefinition

from orchestration.jobs import maintenance

daily = ScheduleDefinition(
    name="daily_maintenance",
    job=maintenance,
    cron_schedule="50 2 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day at 02:50 UTC.",
)
