"""Acts when a guardrail is breached: tells people, pauses the experiment or rolls it back.

The watch runs in the sensor itself: a run of its own would take longer to start than the evidence may wait.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from clickhouse_connect.driver.client import Client
from dagster import DagsterInstance, DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor

from neonblue.alerting import Alert
from neonblue.contract.guardrails import watched_guardrails
from neonblue.contract.messages import ExperimentMessage
from neonblue.guardrails.answered import Answered, strongest, unaccepted, unanswered
from neonblue.guardrails.breaches import Breach, breaches
from neonblue.results.warehouse import NotBuilt
from neonblue.settings import Settings
from orchestration import asking
from orchestration.alerts.delivery import Alerts
from orchestration.asking import Asked
from orchestration.defs.guardrails.repository import (
    keep,
    read_answered,
    read_sums,
    read_watermark,
)
from orchestration.defs.guardrails.wording import told
from orchestration.defs.significance.repository import read_configurations
from orchestration.resources import Api, ClickHouse

if TYPE_CHECKING:
    from neonblue.analysis import MomentRow

_TELLER = "guardrails"
_CALLS: Mapping[str, str] = MappingProxyType(
    {"pause": "pause", "roll_back": "roll_back", "hold": "ramp/hold"}
)
"""What the API is asked for each action; what else there is leaves the experiment as it is."""


@sensor(
    name="guardrails",
    minimum_interval_seconds=10,
    default_status=DefaultSensorStatus.RUNNING,
    description="Tells of a breached guardrail, and pauses its experiment or rolls it back, as the guardrail says.",
)
def guardrails(
    context: SensorEvaluationContext, clickhouse: ClickHouse, api: Api, alerts: Alerts
) -> SkipReason:
    """Looks at every watched metric when the models have counted events that they had not at the last look."""
    try:
        alerts.tell_owed(context.instance, _TELLER)
    except Exception:  # an address that takes nothing keeps nobody from being watched
        context.log.exception("what is owed could not be told")
    with clickhouse.client() as client:
        failed = asking.catch_up(
            context, _TELLER, lambda asked: settle(client, api, alerts, context.instance, asked)
        )
        watched = [
            versions
            for versions in read_configurations(client).values()
            if watched_guardrails(versions[max(versions)]) and versions[max(versions)].key not in failed
        ]
        if failed and not watched:
            raise RuntimeError(f"not watched: {', '.join(failed)}")
        if not watched:
            return SkipReason("no running experiment has a metric that is watched")
        watermark = read_watermark(client)
        if watermark is None:
            return SkipReason("waits for events, and for the first build of the models (neonblue build)")
        if context.cursor == watermark.isoformat():
            return SkipReason("no event has come since the last look")
        try:
            sums = read_sums(
                client,
                [(versions, watched_guardrails(versions[max(versions)])) for versions in watched],
                watermark,
            )
        except NotBuilt as error:
            return SkipReason(f"waits for the next build of the models: {error}")
        earlier = read_answered(client, [versions[max(versions)].experiment_id for versions in watched])
        done = []
        for versions, rows in zip(watched, sums, strict=True):
            newest = versions[max(versions)]
            try:
                found = newly_breached(versions, rows, earlier.get(newest.experiment_id, ()))
                action = act(client, api, alerts, context.instance, newest, found, watermark)
                if action is not None:
                    done.append(f"{newest.key}: {action}")
            except Exception:  # one experiment's fault keeps no other from being watched
                context.log.exception(f"the guardrails of {newest.key} could not be watched")
                failed.append(newest.key)
    if failed:
        # The cursor stays: they are looked at again at the next tick.
        raise RuntimeError(f"not watched: {', '.join(failed)}; done: {', '.join(done) or 'nothing'}")
    context.update_cursor(watermark.isoformat())
    return SkipReason(", ".join(done) or "every watched guardrail holds")


def newly_breached(
    configurations: Mapping[int, ExperimentMessage], rows: "Sequence[MomentRow]", earlier: Sequence[Answered]
) -> list[Breach]:
    """The breaches to do something about: by evidence that nobody has accepted, and not told before."""
    fresh = unaccepted(rows, configurations, earlier)
    found = breaches(configurations[max(configurations)], fresh, configurations)
    return unanswered(found, configurations, earlier)


def act(
    client: Client,
    api: Api,
    alerts: Alerts,
    instance: DagsterInstance,
    experiment: ExperimentMessage,
    found: Sequence[Breach],
    watermark: datetime,
) -> str | None:
    """Do what the breaches ask for, keep it and tell people; what was done, None where nothing was.

    The strongest of their actions holds for all of them. What can't be told now is told at a later look.
    """
    if not found:
        return None
    action = strongest(found, None if experiment.ramp is None else experiment.ramp.on_breach)
    asked = Asked.now(
        experiment,
        _CALLS.get(action, ""),
        {"reason": found[0].reason},
        action=action,
        found=list(found),
        watermark=watermark,
        alert=Alert(
            subject=f"guardrail/{experiment.key}/{experiment.version}/{found[0].metric_key}/{found[0].variant_key}",
            **told(experiment.key, found, action, Settings.load().api.address),
        ),
    )
    asking.ask(instance, _TELLER, asked)
    return action if settle(client, api, alerts, instance, asked) else None


def settle(client: Client, api: Api, alerts: Alerts, instance: DagsterInstance, asked: Asked) -> bool:
    """Have the API do it, also again where its answer was lost, and keep and owe what follows; whether it was done."""
    if asked.action is None or asked.alert is None or asked.watermark is None:
        raise RuntimeError(f"what was asked of {asked.experiment_key} is not of the guardrails")
    done = not asked.step or api.take(asked.experiment_key, asked.step, asked.body, asked.id)
    if done or asked.action == "hold":  # where somebody holds it already, that is as good
        keep(client, asked, asked.action, asked.watermark)
        alerts.owe(instance, _TELLER, asked.alert)
        done = True
    asking.answered(instance, _TELLER, asked)
    alerts.tell_owed(instance, _TELLER)
    return done
