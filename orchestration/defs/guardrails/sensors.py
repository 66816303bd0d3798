"""Pauses an experiment when a guardrail is breached.

The watch runs in the sensor itself: a run of its own would take longer to start than the evidence may wait.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client
from dagster import DagsterInstance, DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor

from neonblue.alerting import Alert
from neonblue.contract.guardrails import watched_guardrails
from neonblue.contract.messages import ExperimentMessage
from neonblue.guardrails.breaches import Breach, breaches
from orchestration.alerts.delivery import Alerts
from orchestration.defs.guardrails.repository import Paused, read_sums, read_watermark, record
from orchestration.defs.significance.repository import read_configurations
from orchestration.resources import Api, ClickHouse


@sensor(
    name="guardrails",
    minimum_interval_seconds=10,
    default_status=DefaultSensorStatus.RUNNING,
    description="Pauses an experiment whose guardrail is breached, of those with a window of at most an hour.",
)
def guardrails(
    context: SensorEvaluationContext, clickhouse: ClickHouse, api: Api, alerts: Alerts
) -> SkipReason:
    """Looks at every watched guardrail when events have come since the last look."""
    with clickhouse.client() as client:
        watched = [
            versions
            for versions in read_configurations(client).values()
            if watched_guardrails(versions[max(versions)])
        ]
        if not watched:
            return SkipReason("no running experiment has a guardrail with a window of at most an hour")
        watermark = read_watermark(client)
        if context.cursor == watermark.isoformat():
            return SkipReason("no event has come since the last look")
        paused, failed = [], []
        for versions in watched:
            key = versions[max(versions)].key
            try:
                if look(client, api, alerts, context.instance, versions, watermark):
                    paused.append(key)
            except Exception:  # one experiment's fault keeps no other from being watched
                context.log.exception(f"the guardrails of {key} could not be watched")
                failed.append(key)
    if failed:
        # The cursor stays: they are looked at again at the next tick.
        raise RuntimeError(f"not watched: {', '.join(failed)}; paused: {', '.join(paused) or 'none'}")
    context.update_cursor(watermark.isoformat())
    return SkipReason(f"paused: {', '.join(paused)}" if paused else "every watched guardrail holds")


def look(
    client: Client,
    api: Api,
    alerts: Alerts,
    instance: DagsterInstance,
    configurations: Mapping[int, ExperimentMessage],
    watermark: datetime,
) -> list[Breach]:
    """Pause the experiment and tell people if one of its guardrails is breached; the breaches."""
    experiment = configurations[max(configurations)]
    rows = [
        row
        for metric in watched_guardrails(experiment)
        for row in read_sums(client, configurations, metric, watermark)
    ]
    found = breaches(experiment, rows, configurations)
    if found and api.pause(experiment.key, found[0].reason):
        paused_at = datetime.now(UTC)
        for breach in found:
            record(client, Paused(breach, experiment.experiment_id, watermark, paused_at))
        alerts.tell(
            instance,
            Alert(
                subject=f"guardrail/{experiment.key}/{experiment.version}",
                title=f"Experiment paused: {experiment.key}",
                body="\n".join(breach.reason for breach in found),
            ),
        )
    return found
