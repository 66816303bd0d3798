"""Which ramps are due, what was seen of them, and what is told of what was done: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from neonblue.alerting import Alert
from neonblue.contract.messages import ExperimentMessage, RampMessage
from neonblue.guardrails.actions import action_of
from neonblue.guardrails.breaches import Breach
from neonblue.ramps.plan import Ramp
from neonblue.ramps.planner import Action, Breached, Evidence, Standing, next_action

_NOTHING_AGAINST = Evidence(units=2**53, breached=())
_DONE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "hold": ("Ramp held", "POST /v1/experiments/{key}/ramp/continue lets it go on"),
        "pause": ("Experiment paused by its ramp", "POST /v1/experiments/{key}/resume undoes it"),
        "roll_back": ("Experiment rolled back by its ramp", "POST /v1/experiments/{key}/resume undoes it"),
        "conclude": (
            "Experiment concluded by its ramp",
            "neonblue experiment decide {key} --roll-back puts everybody on the control",
        ),
    }
)
"""Titles of what is told, and the one call that undoes it. A step that was taken is told by its version alone."""


def is_due(experiment: ExperimentMessage, now: datetime) -> bool:
    """Whether its next step's time has come, as its newest snapshot says: then what else it hangs on is read."""
    ramp = experiment.ramp
    if ramp is None or experiment.source != "internal":
        return False
    step = next_action(_plan(ramp), _standing(experiment, ramp), now, _NOTHING_AGAINST)
    return step.action is not Action.WAIT


def expects(
    experiment: ExperimentMessage, units: int | None, breached: Sequence[Breach] | None, now: datetime
) -> bool:
    """Whether the API, told this, will probably do something: it decides by the same function."""
    ramp = experiment.ramp
    if ramp is None:
        return False
    found = (
        None
        if breached is None
        else [Breached(action_of(one.on_breach, ramp.on_breach), one.reason) for one in breached]
    )
    step = next_action(_plan(ramp), _standing(experiment, ramp), now, Evidence(units, found))
    return step.action is not Action.WAIT


def seen(ramp: RampMessage, units: int | None, breached: Sequence[Breach] | None) -> dict[str, Any]:
    """What is told the API. None: it could not be read."""
    return {
        "position": ramp.position,
        "units": units,
        "breached": None
        if breached is None
        else [
            {
                "metric_key": breach.metric_key,
                "variant_key": breach.variant_key,
                "on_breach": breach.on_breach,
                "reason": breach.reason,
            }
            for breach in breached
        ],
    }


def alert_of(done: Mapping[str, Any]) -> Alert | None:
    """What people are told: what was done, why, and how one call undoes it; None: nothing they must know at once."""
    told = _DONE.get(done["action"])
    if told is None:
        return None
    title, undo = told
    key = done["key"]
    return Alert(
        subject=f"ramp/{key}/{done['version']}",
        title=f"{title}: {key}",
        body=f"{done['why']}\n{undo.format(key=key)}.",
    )


def _plan(ramp: RampMessage) -> Ramp:
    return Ramp.written(ramp.steps, concludes=ramp.release_at_end is not None)


def _standing(experiment: ExperimentMessage, ramp: RampMessage) -> Standing:
    since = ramp.step_since
    return Standing(
        share=experiment.allocation,
        position=ramp.position,
        since=None if since is None else datetime.fromisoformat(since),
        held=ramp.held,
        runs=experiment.status == "running",
        takes_in=experiment.enrolment == "open",
    )
