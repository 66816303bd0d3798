"""Health checks of how units and events arrive, beside those of the statistics engine. Pure."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from math import nan

from neonblue.analysis import ExperimentRows
from neonblue.contract.clocks import FARTHEST, ON_THE_WAY
from neonblue.contract.messages import ExperimentMessage
from neonblue.statistics import HealthCheck

_CLOCKS = "clocks of clients"
_SETTLED = timedelta(minutes=10)
_FEW = 0.01
_TELLING = 100
JUST_BEFORE_SECONDS = 60
"""As the variable `just_before_seconds` of the models."""
_MOST_JUST_BEFORE = 0.01
_MOST_FROM_AFAR = 0.01
_MOST_CORRECTED = 0.5


def arrival_checks(
    experiment: ExperimentMessage, rows: ExperimentRows, assigned: int, now: datetime
) -> tuple[HealthCheck, ...]:
    """Whether assigned units are ever exposed, and whether events are lost to a clock.

    assigned: units with an assignment; now: an aware time.
    """
    checks = (exposure_check(experiment, rows, assigned, now), clock_check(experiment, rows))
    return tuple(check for check in checks if check is not None)


def exposure_check(
    experiment: ExperimentMessage, rows: ExperimentRows, assigned: int, now: datetime
) -> HealthCheck | None:
    """Whether the assigned units meet their variant, where those that do are analysed.

    None where it can't be told: the experiment has not run for ten minutes, or nobody is assigned. It fails, as a
    warning, where no unit was exposed, or less than one in a hundred of a hundred or more.
    """
    if experiment.population != "exposed" or experiment.started_at is None or not assigned:
        return None
    if now - datetime.fromisoformat(experiment.started_at) < _SETTLED:
        return None
    exposed = min(rows.exposed, assigned)
    share = exposed / assigned
    passed = share >= _FEW or bool(exposed and assigned < _TELLING)
    message = f"{assigned:,} units were assigned, {exposed:,} of them exposed ({share:.1%})."
    if not passed:
        message += (
            " Only units that met their variant are analysed, so send an exposure where it is used: "
            "POST /v1/assignments with expose true, an event of the type exposure, or the OpenFeature hook "
            "(docs/openfeature.md)."
        )
    return HealthCheck("exposure", passed, share, _FEW, message, blocking=False)


def clock_check(experiment: ExperimentMessage, rows: ExperimentRows) -> HealthCheck | None:
    """Whether events that a metric would count are stamped just before their unit's first exposure, so that it doesn't.

    None where there are none. It fails, as a warning, where a metric has more of them than one for a hundred units.
    """
    versions = {metric.key: metric.version for metric in experiment.metrics}
    early: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    units: dict[str, int] = defaultdict(int)
    for row in rows.moments:
        if versions.get(row.metric_key) == row.metric_version:
            units[row.metric_key] += row.n + row.missing
            if row.just_before:
                early[row.metric_key][row.variant_key] += row.just_before
    if not early:
        return None
    share = max(sum(arms.values()) / max(units[metric], 1) for metric, arms in early.items())
    counts = "; ".join(
        f"{metric}: {', '.join(f'{count:,} in {arm}' for arm, count in sorted(arms.items()))}"
        for metric, arms in sorted(early.items())
    )
    message = (
        f"Events of up to {JUST_BEFORE_SECONDS} seconds before their unit's first exposure are not counted ({counts}). "
        "Where the clocks of client and server differ, send the client's own time with exposure and event alike, or "
        "expose the unit before the event happens."
    )
    return HealthCheck(
        "events just before the exposure",
        share <= _MOST_JUST_BEFORE,
        share,
        _MOST_JUST_BEFORE,
        message,
        blocking=False,
    )


def late_correction_check(seconds: float) -> HealthCheck:
    """The check on the clocks of clients where their events could not be counted within so many seconds."""
    message = f"Events from clocks that are off could not be counted within {seconds:.0f} seconds. Ask again."
    return HealthCheck(_CLOCKS, True, nan, nan, message, blocking=False, told=False)


def correction_check(events: int, corrected: int, from_afar: int, early: int) -> HealthCheck | None:
    """Whether the times of events can be trusted, where clients say when they sent them.

    events: all that count, and the early ones; corrected: those of them whose time was; from_afar: those whose client's
    clock was too far away to correct by; early: those of both that came after the exposure with a time before it, so
    that they do not count. None where there is neither. It fails, as a warning, where more than one in a hundred is
    from afar, or more than half were corrected; value and threshold are of the first that does.
    """
    if not corrected and not from_afar:
        return None
    total = max(events, corrected, from_afar)  # a table as it was before has no early ones
    share, corrected_share = from_afar / total, corrected / total
    message = (
        f"Of {events:,} events {corrected:,} came from a clock more than {ON_THE_WAY.seconds} s off, and their times "
        "were corrected by the distance."
    )
    if corrected_share > _MOST_CORRECTED:
        message += (
            f" That is {corrected_share:.1%}. Are both Sent-At and the clock in UTC? A local time that is sent as UTC "
            "moves every event by its zone."
        )
    if from_afar:
        message += (
            f" {from_afar:,} came from a clock more than {FARTHEST.days} day off ({share:.1%}): their times are as "
            "they were sent, and may lie before the exposure or in another day. Set the clock of what sends them."
        )
    if early:
        message += (
            f" {early:,} of all these do not count: they came after the exposure with a time before it."
        )
    value, threshold = share, _MOST_FROM_AFAR
    if share <= _MOST_FROM_AFAR and corrected_share > _MOST_CORRECTED:
        value, threshold = corrected_share, _MOST_CORRECTED
    return HealthCheck(_CLOCKS, value <= threshold, value, threshold, message, blocking=False)
