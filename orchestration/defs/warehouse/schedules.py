"""When the models are built."""

from datetime import UTC, datetime

from dagster import DefaultScheduleStatus, RunRequest, ScheduleEvaluationContext, schedule

from orchestration.jobs import everything
from orchestration.partitions import today


@schedule(
    name="hourly",
    job=everything,
    cron_schedule="5 * * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every hour: builds what was touched; at 00:05 UTC the day before is closed.",
)
def hourly(context: ScheduleEvaluationContext) -> RunRequest:
    """A run for the day that is open."""
    moment = context.scheduled_execution_time or datetime.now(UTC)
    return RunRequest(tags={"dagster/partition": today(moment)})
