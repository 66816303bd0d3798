"""When the experiments' decisions and reports are made: one run over all of them."""

from collections.abc import Sequence

from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from orchestration.jobs import decisions, reports, weekly_report
from orchestration.keys import TESTS
from orchestration.queue import waits
from orchestration.tags import PARTITION_TAG

_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"


def request_for(keys: Sequence[str]) -> RunRequest | SkipReason:
    """One run over all partitions, so that the code is loaded once."""
    if not keys:
        return SkipReason("no experiment has started")
    if len(keys) == 1:
        return RunRequest(partition_key=keys[0])
    return RunRequest(tags={_RANGE_START: keys[0], _RANGE_END: keys[-1]})


def has_results(context: ScheduleEvaluationContext) -> bool:
    """Whether a build has come to its end. On a new installation the first hour has none yet."""
    return context.instance.get_latest_materialization_event(TESTS) is not None


def _request(context: ScheduleEvaluationContext, job: str) -> RunRequest | SkipReason:
    if not has_results(context):
        return SkipReason("no build has finished yet")
    request = request_for(context.instance.get_dynamic_partitions("experiments"))
    if isinstance(request, RunRequest) and waits(context.instance, job, _tags(request)):
        return SkipReason("the same run is queued already")
    return request


def _tags(request: RunRequest) -> dict[str, str]:
    """The tags that say which partitions its run has."""
    return {PARTITION_TAG: request.partition_key} if request.partition_key else dict(request.tags)


@schedule(
    name="hourly_decisions",
    job=decisions,
    cron_schedule="20 * * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every hour, when the models have been built.",
)
def hourly_decisions(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """One run over all experiments."""
    return _request(context, decisions.name)


@schedule(
    name="daily_reports",
    job=reports,
    cron_schedule="40 0 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day, when the day before is closed and tested.",
)
def daily_reports(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """One run over all experiments."""
    return _request(context, reports.name)


weekly = ScheduleDefinition(
    name="weekly",
    job=weekly_report,
    cron_schedule="0 6 * * 1",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    should_execute=has_results,
    description="Every Monday at 06:00 UTC.",
)
