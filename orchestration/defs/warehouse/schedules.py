"""When the models are built."""

from datetime import UTC, datetime

from dagster import DefaultScheduleStatus, RunRequest, ScheduleEvaluationContext, SkipReason, schedule

from orchestration.jobs import everything
from orchestration.partitions import today
from orchestration.queue import waits
from orchestration.tags import PARTITION_TAG, REBUILD_TAG, Rebuild


@schedule(
    name="hourly",
    job=everything,
    cron_schedule="5 * * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every hour: builds what was touched; at 00:05 UTC the day before is closed.",
)
def hourly(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """A run for the day that is open, unless one waits: that one builds all that is touched until it starts."""
    if waits(context.instance, everything.name, {REBUILD_TAG: Rebuild.TOUCHED.value}):
        return SkipReason("a build is queued already, and takes what has been touched when it starts")
    moment = context.scheduled_execution_time or datetime.now(UTC)
    return RunRequest(tags={PARTITION_TAG: today(moment)})
