"""Which experiments have a partition, and which are due for their final report. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from neonblue.alerting import Alert, Severity
from neonblue.contract.messages import ExperimentMessage

STOP_TOLD_BEFORE = timedelta(days=1)
LIVE = frozenset({"running", "paused"})
_KEPT = LIVE | {"concluded"}


@dataclass(frozen=True, slots=True)
class PartitionChanges:
    """Keys to add, in order, and keys to drop."""

    added: list[str]
    dropped: list[str]


def partition_changes(present: Collection[str], newest: Iterable[ExperimentMessage]) -> PartitionChanges:
    """An experiment has a partition from its start until it is archived."""
    wanted = [experiment.key for experiment in newest if experiment.status in _KEPT]
    return PartitionChanges(
        added=[key for key in wanted if key not in present],
        dropped=sorted(set(present) - set(wanted)),
    )


def final_reports(newest: Iterable[ExperimentMessage], tested_at: datetime | None) -> list[tuple[str, str]]:
    """Concluded experiments whose results were computed after their end: key, and a name of this conclusion.

    tested_at: when the significance tests last ran; None: never.
    """
    return [
        (experiment.key, f"final/{experiment.key}/{experiment.version}/{experiment.concluded_at}")
        for experiment in newest
        if experiment.status == "concluded"
        and experiment.concluded_at is not None
        and tested_at is not None
        and datetime.fromisoformat(experiment.concluded_at) < tested_at
    ]


def stops_undecided(newest: Iterable[ExperimentMessage], now: datetime) -> list[Alert]:
    """What is told of experiments that stop within a day: their key gives everybody the control from then on."""
    found = []
    for experiment in newest:
        stop = experiment.scheduled_stop_at
        if experiment.status not in LIVE or experiment.source != "internal" or stop is None:
            continue
        if now < datetime.fromisoformat(stop) <= now + STOP_TOLD_BEFORE:
            found.append(
                Alert(
                    subject=f"stop/{experiment.key}/{stop}",
                    title=f"Experiment stops within a day: {experiment.key}",
                    body=f"At {stop} it is concluded without a decision, and everybody is served the control.\n"
                    f"To serve a variant without a gap, decide before: neonblue experiment conclude {experiment.key} "
                    "--ship VARIANT --reason '…'",
                    severity=Severity.WARNING,
                )
            )
    return found
