"""Tells people about checks and runs that failed."""

from collections.abc import Iterable

from dagster import (
    AssetCheckSeverity,
    DagsterEventType,
    DagsterInstance,
    DefaultSensorStatus,
    EventLogRecord,
    EventRecordsFilter,
    RunFailureSensorContext,
    SensorEvaluationContext,
    SkipReason,
    run_failure_sensor,
    sensor,
)

from neonblue.settings import Settings
from orchestration.alerts.delivery import Alerts
from orchestration.alerts.message import failed_check, failed_run

_MOST_RECORDS = 500


@sensor(
    name="failed_checks",
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Tells people about each check that failed, once while it keeps failing.",
)
def failed_checks(context: SensorEvaluationContext, alerts: Alerts) -> SkipReason:
    """Looks at the evaluations since the last look, the oldest first."""
    records = _evaluations(context.instance, context.cursor)
    if not records:
        return SkipReason("no check has run since the last look")
    told = tell_failures(context.instance, alerts, records)
    context.update_cursor(str(records[-1].storage_id))
    return SkipReason(f"told: {', '.join(told)}" if told else f"{len(records)} checks, nothing to tell")


def tell_failures(instance: DagsterInstance, alerts: Alerts, records: Iterable[EventLogRecord]) -> list[str]:
    """Tell the failures among the evaluations; the subjects that were told now."""
    told = []
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        evaluation = event.asset_check_evaluation_data
        asset = evaluation.asset_key.to_user_string()
        page = Settings.load().dagster.run_page(record.run_id)
        alert = failed_check(
            asset,
            evaluation.check_name,
            evaluation.description or "",
            blocking=evaluation.severity is AssetCheckSeverity.ERROR,
            page=page,
        )
        if evaluation.passed:
            alerts.over(instance, alert.subject)
        elif alerts.tell(instance, alert):
            told.append(alert.subject)
    return told


@run_failure_sensor(
    name="failed_runs",
    default_status=DefaultSensorStatus.RUNNING,
    description="Tells people about each job whose run failed, once while it keeps failing.",
)
def failed_runs(context: RunFailureSensorContext, alerts: Alerts) -> None:
    """One alert for each job."""
    run = context.dagster_run
    page = Settings.load().dagster.run_page(run.run_id)
    alerts.tell(context.instance, failed_run(run.job_name, context.failure_event.message or "", page))


def _evaluations(instance: DagsterInstance, cursor: str | None) -> list[EventLogRecord]:
    return list(
        instance.get_event_records(
            EventRecordsFilter(
                event_type=DagsterEventType.ASSET_CHECK_EVALUATION,
                after_cursor=int(cursor) if cursor else None,
            ),
            limit=_MOST_RECORDS,
            ascending=True,
        )
    )
