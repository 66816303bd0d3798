"""What the API was asked to do by evidence, kept until the answer is dealt with.

A call whose answer is lost, or whose process ended before it was dealt with, is made again under the same
Idempotency-Key: it is carried out once, and what was done is kept and told.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import structlog
from dagster import DagsterInstance, SensorEvaluationContext

from neonblue.alerting import Alert
from neonblue.contract.messages import ExperimentMessage
from neonblue.guardrails.breaches import Breach
from orchestration.memory import store, stored

_ASKED = "neonblue/asked/{}"
_LONGEST = timedelta(hours=20)
"""The API knows a key for a day: what is older than this would be done anew."""

log = structlog.get_logger("orchestration.asking")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A call about an experiment, and what is to be kept and told of it once it is answered.

    id: its Idempotency-Key. version: the experiment's when it was looked at. step: the call's path below the
    experiment's. action: what is asked for, where the call says it. watermark: up to which `found` is the evidence.
    """

    id: str
    at: datetime
    experiment_id: int
    experiment_key: str
    version: int
    step: str
    body: dict[str, Any]
    action: str | None = None
    found: list[Breach] = []
    watermark: datetime | None = None
    alert: Alert | None = None

    @classmethod
    def now(cls, experiment: ExperimentMessage, step: str, body: dict[str, Any], **fields: Any) -> Asked:
        """What is asked for the first time."""
        return cls(
            id=uuid4().hex,
            at=datetime.now(UTC),
            experiment_id=experiment.experiment_id,
            experiment_key=experiment.key,
            version=experiment.version,
            step=step,
            body=body,
            **fields,
        )


def unanswered(instance: DagsterInstance, teller: str) -> list[Asked]:
    """What was asked and not dealt with, the oldest first.

    teller: the sensor, of which one tick is at work at a time.
    """
    kept = _all(instance, teller)
    oldest = datetime.now(UTC) - _LONGEST
    for asked in kept:
        if asked.at < oldest:
            log.error(
                "answer_lost", experiment=asked.experiment_key, step=asked.step, asked_at=asked.at.isoformat()
            )
            answered(instance, teller, asked)
    return [asked for asked in kept if asked.at >= oldest]


def ask(instance: DagsterInstance, teller: str, asked: Asked) -> None:
    """Keep what is asked in a moment."""
    _keep(instance, teller, [*_all(instance, teller), asked])


def answered(instance: DagsterInstance, teller: str, asked: Asked) -> None:
    """Its answer is dealt with."""
    _keep(instance, teller, [other for other in _all(instance, teller) if other.id != asked.id])


def catch_up(context: SensorEvaluationContext, teller: str, settle: Callable[[Asked], object]) -> list[str]:
    """Settle what was not answered; keys of the experiments of which that fails now too.

    settle: asks again, deals with the answer, and calls `answered`.
    """
    silent = []
    for asked in unanswered(context.instance, teller):
        try:
            settle(asked)
        except Exception:  # one experiment's fault keeps no other from being looked at
            context.log.exception(f"what was asked of {asked.experiment_key} is not dealt with")
            silent.append(asked.experiment_key)
    return silent


def _all(instance: DagsterInstance, teller: str) -> list[Asked]:
    value = stored(instance, _ASKED.format(teller))
    return msgspec.json.decode(value, type=list[Asked]) if value else []


def _keep(instance: DagsterInstance, teller: str, kept: list[Asked]) -> None:
    store(instance, _ASKED.format(teller), msgspec.json.encode(kept).decode())
