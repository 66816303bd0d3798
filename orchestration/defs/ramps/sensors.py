"""Takes the next step of a ramp when its time and units are reached and its guardrails hold."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client
from dagster import DagsterInstance, DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor

from neonblue.contract.messages import ExperimentMessage
from orchestration import asking
from orchestration.alerts.delivery import Alerts
from orchestration.asking import Asked
from orchestration.defs.guardrails.repository import keep, read_watermark
from orchestration.defs.ramps.due import alert_of, expects, is_due, seen
from orchestration.defs.ramps.repository import count_units, read_breaches
from orchestration.defs.significance.repository import read_configurations
from orchestration.resources import Api, ClickHouse

_TELLER = "ramps"
_BY_BREACH = ("hold", "pause", "roll_back")


@sensor(
    name="ramps",
    minimum_interval_seconds=10,
    default_status=DefaultSensorStatus.RUNNING,
    description="Takes a ramp's next step, through the API, when time and units are reached and every guardrail holds.",
)
def ramps(context: SensorEvaluationContext, clickhouse: ClickHouse, api: Api, alerts: Alerts) -> SkipReason:
    """Looks at every ramp whose step has held for its time. The API decides: a step is taken once, whoever looks."""
    try:
        alerts.tell_owed(context.instance, _TELLER)
    except Exception:  # an address that takes nothing keeps nobody from being watched
        context.log.exception("what is owed could not be told")
    done = []
    with clickhouse.client() as client:
        failed = asking.catch_up(
            context, _TELLER, lambda asked: settle(client, api, alerts, context.instance, asked)
        )
        now = datetime.now(UTC)
        for versions in read_configurations(client).values():
            newest = versions[max(versions)]
            if newest.key in failed or not is_due(newest, now):
                continue
            try:
                done.append(f"{newest.key}: {look(client, api, alerts, context.instance, versions)}")
            except Exception:  # one experiment's fault keeps no other's ramp from going on
                context.log.exception(f"the ramp of {newest.key} could not be looked at")
                failed.append(newest.key)
    if failed:
        raise RuntimeError(f"not looked at: {', '.join(failed)}; done: {'; '.join(done) or 'nothing'}")
    return SkipReason("; ".join(done) or "no ramp's time has come")


def look(
    client: Client,
    api: Api,
    alerts: Alerts,
    instance: DagsterInstance,
    configurations: Mapping[int, ExperimentMessage],
) -> str:
    """Have the API do what is due by what is seen now, and tell people of what they must know; what was done."""
    experiment = configurations[max(configurations)]
    if experiment.ramp is None:
        return "it has no ramp"
    step = experiment.ramp.steps[experiment.ramp.position - 1] if experiment.ramp.position else None
    units = count_units(client, experiment) if step is not None and step.units is not None else 0
    watermark = read_watermark(client)
    found = read_breaches(client, configurations, watermark)
    asked = Asked.now(
        experiment,
        "ramp/due",
        seen(experiment.ramp, units, found),
        found=list(found or ()),
        watermark=watermark,
    )
    if expects(experiment, units, found, datetime.now(UTC)):
        asking.ask(instance, _TELLER, asked)
        done = settle(client, api, alerts, instance, asked)
    else:
        done = api.take_ramp_step(experiment.key, asked.body)
    return f"{done['action']}, {done['why']}"


def settle(
    client: Client, api: Api, alerts: Alerts, instance: DagsterInstance, asked: Asked
) -> Mapping[str, Any]:
    """Have the API do what is due, also again where its answer was lost, and keep and owe what follows."""
    done = api.take_ramp_step(asked.experiment_key, asked.body, asked.id)
    if asked.found and asked.watermark is not None and done["action"] in _BY_BREACH:
        # As the watch of the guardrails keeps it: so it tells nobody again, and going on accepts the evidence.
        keep(client, asked, done["action"], asked.watermark)
    alert = alert_of(done)
    if alert is not None:
        alerts.owe(instance, _TELLER, alert)
    asking.answered(instance, _TELLER, asked)
    alerts.tell_owed(instance, _TELLER)
    return done
