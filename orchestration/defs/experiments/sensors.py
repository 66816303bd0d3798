"""Keeps the experiments' partitions in step, carries out what is scheduled, and orders final reports."""

from datetime import UTC, datetime

from dagster import (
    AddDynamicPartitionsRequest,
    DefaultSensorStatus,
    DeleteDynamicPartitionsRequest,
    RunRequest,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from neonblue.contract.messages import ExperimentMessage
from orchestration.alerts.delivery import Alerts
from orchestration.defs.experiments.changes import final_reports, partition_changes, stops_undecided
from orchestration.defs.significance.repository import read_configurations
from orchestration.jobs import reports
from orchestration.keys import TESTS
from orchestration.partitions import experiments
from orchestration.resources import Api, ClickHouse

_EXPERIMENTS = "experiments"


@sensor(
    name="started_experiments",
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Gives each experiment a partition at its start and takes it away when it is archived.",
)
def started_experiments(
    context: SensorEvaluationContext, clickhouse: ClickHouse
) -> SensorResult | SkipReason:
    """The partitions to add and to drop."""
    changes = partition_changes(context.instance.get_dynamic_partitions(_EXPERIMENTS), _newest(clickhouse))
    if not changes.added and not changes.dropped:
        return SkipReason("every started experiment has its partition")
    requests: list[AddDynamicPartitionsRequest | DeleteDynamicPartitionsRequest] = []
    if changes.added:
        requests.append(experiments.build_add_request(changes.added))
    if changes.dropped:
        requests.append(experiments.build_delete_request(changes.dropped))
    return SensorResult(dynamic_partitions_requests=requests)


@sensor(
    name="concluded_experiments",
    job=reports,
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="A concluded experiment gets its final report, once, when its last results are computed.",
)
def concluded_experiments(
    context: SensorEvaluationContext, clickhouse: ClickHouse
) -> SensorResult | SkipReason:
    """One run for each experiment that was concluded and has its partition."""
    present = set(context.instance.get_dynamic_partitions(_EXPERIMENTS))
    tests = context.instance.get_latest_materialization_event(TESTS)
    tested_at = None if tests is None else datetime.fromtimestamp(tests.timestamp, UTC)
    due = [(key, name) for key, name in final_reports(_newest(clickhouse), tested_at) if key in present]
    if not due:
        return SkipReason("no concluded experiment has its last results")
    return SensorResult(
        run_requests=[
            RunRequest(run_key=name, partition_key=key, tags={"neonblue/report": "final"})
            for key, name in due
        ]
    )


@sensor(
    name="scheduled_experiments",
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Starts and stops experiments whose scheduled time has come, through the API; tells of stops "
    "a day ahead.",
)
def scheduled_experiments(
    context: SensorEvaluationContext, api: Api, clickhouse: ClickHouse, alerts: Alerts
) -> SkipReason:
    """Nothing to run here: the API does it and says what it did."""
    done = api.carry_out_due()
    for alert in stops_undecided(_newest(clickhouse), datetime.now(UTC)):
        alerts.tell(context.instance, alert, once=True)
    return SkipReason("; ".join(f"{item['key']}: {item['step']}" for item in done) or "nothing was due")


def _newest(clickhouse: ClickHouse) -> list[ExperimentMessage]:
    with clickhouse.client() as client:
        return [versions[max(versions)] for versions in read_configurations(client).values()]
