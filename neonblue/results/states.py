"""Why there are no numbers, or none that say anything yet. Pure."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from neonblue.analysis import ExperimentRows
from neonblue.analysis.why import OK, State, Why
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.arrivals import Arrivals
from neonblue.results.warehouse import Counted
from neonblue.texts import instant

BUILD_MINUTE = 5
"""Past each hour, when a build of what has come begins."""
LIVE_SECONDS = 20
"""What has come is in the live views after so long at most: their refresh and what it takes."""
_LATER_ROWS = 5
_LATER_SHARE = 0.05


NOT_INGESTED = Why(
    State.NOT_INGESTED,
    f"The experiment's configuration has not arrived in ClickHouse yet: it takes up to {LIVE_SECONDS} seconds.",
)


def before_the_start(experiment: ExperimentMessage) -> Why | None:
    """Whether units could not enter it yet, or never could: a draft, one that waits for its time, a deleted draft."""
    if experiment.status not in ("draft", "scheduled") and experiment.started_at is not None:
        return None
    if experiment.status == "archived":
        return Why(State.NOT_STARTED, "The experiment was archived before it started.")
    if experiment.status == "scheduled" and experiment.scheduled_start_at is not None:
        start = datetime.fromisoformat(experiment.scheduled_start_at)
        return Why(State.NOT_STARTED, f"The experiment has not started: it will at {instant(start)}.")
    if experiment.status in ("draft", "scheduled"):
        return Why(State.NOT_STARTED, "The experiment has not started.")
    return None


def never_built(now: datetime) -> Why:
    """Of a warehouse whose models no build has made, or an older version has."""
    return Why(
        State.NOT_BUILT,
        f"The numbers have not been computed: no build of this version has run yet. {next_build(now)}",
    )


def state_of(
    experiment: ExperimentMessage,
    rows: ExperimentRows,
    arrivals: Arrivals,
    days: int,
    counted: Counted,
    now: datetime,
) -> Why:
    """Of an experiment that has started: whether its numbers are there, as far as that is told before any analysis.

    arrivals: may be empty where there are units and the data are its own. days: as of `not_built`; now: an aware time.
    """
    missing = not_built(experiment, rows, arrivals, days, now)
    if missing is not None:
        return missing
    return OK if units_of(rows) else without_units(experiment, rows, arrivals, counted, now)


def units_of(rows: ExperimentRows) -> int:
    """Units in the numbers."""
    return sum(arm.units for arm in rows.units)


def assigned_of(rows: ExperimentRows, arrivals: Arrivals) -> int:
    """Units with an assignment: as they are counted, the ids of one person once; as sent, where rows still wait."""
    waits = arrivals.for_build or arrivals.for_view
    return max(rows.assigned, arrivals.assigned) if waits or not rows.assigned else rows.assigned


def not_built(
    experiment: ExperimentMessage, rows: ExperimentRows, arrivals: Arrivals, days: int, now: datetime
) -> Why | None:
    """Whether numbers are missing that a build will make, so that what is there says nothing of the whole.

    Of imported data any row that waits; else, rows that bring units in where there are none yet. days: on which units
    entered and of which no sums were built. A metric of which units have no sums yet is not built either.
    """
    waits = next_build(now)
    units = units_of(rows)
    if arrivals.for_build and (experiment.source == "external" or not units):
        stored = f"assignments of {arrivals.assigned:,} ids are stored"
        counted = f", {units:,} units are in the numbers" if units else ""
        return Why(
            State.NOT_BUILT,
            f"The numbers have not been computed: {stored}{counted}, {arrivals.for_build:,} rows wait for a build. "
            f"{waits}",
        )
    if days:
        return Why(
            State.NOT_BUILT,
            f"The numbers have not been computed of {days:,} day{'s' * (days != 1)} on which units entered. {waits}",
        )
    metrics = unbuilt_metrics(experiment, rows)
    if metrics:
        return Why(
            State.NOT_BUILT,
            f"The numbers have not been computed of all {units:,} units for {', '.join(metrics)}: those of units of "
            f"this hour show after up to {LIVE_SECONDS} seconds, others with the next build. {waits}",
        )
    return None


def without_units(
    experiment: ExperimentMessage, rows: ExperimentRows, arrivals: Arrivals, counted: Counted, now: datetime
) -> Why:
    """Of an experiment with no unit in the numbers: whether any is on its way, else why there is none.

    Units are people, as they are counted; what is known as it was sent alone is said of ids, of which one person may
    have several.
    """
    if arrivals.for_view:
        return Why(
            State.ON_ITS_WAY,
            f"The first units have arrived and are not in the numbers yet. {_view(counted, now)}",
        )
    if rows.several_arms:
        reason = f"All {rows.several_arms:,} units were met in several arms, so none can be analysed."
    elif not arrivals.assigned and arrivals.exposed:
        reason = f"Exposures of {arrivals.exposed:,} ids were sent and none of these has an assignment."
    elif not arrivals.assigned:
        reason = "No unit has been assigned yet."
    elif experiment.population == "assigned":
        reason = f"{_assigned(rows, arrivals)} assigned and none is left to analyse: were they erased?"
    else:
        reason = f"{_assigned(rows, arrivals)} assigned and none has been exposed yet."
    if experiment.status not in ("running", "paused"):
        return Why(State.NO_DATA, reason)
    return Why(State.NO_DATA, f"{reason} {_view(counted, now)}")


def _assigned(rows: ExperimentRows, arrivals: Arrivals) -> str:
    """As they are counted; as sent, where no view has counted them."""
    if rows.assigned:
        return f"{rows.assigned:,} units were"
    return f"{arrivals.assigned:,} ids were"


def unbuilt_metrics(experiment: ExperimentMessage, rows: ExperimentRows) -> tuple[str, ...]:
    """The metrics that have no sums of many of the units: they came to the experiment after those units.

    Every unit has a row in the sums of each metric. A few may lack where one metric goes by the hour and another by the
    day, so that they begin to count a little later.
    """
    units = units_of(rows)
    counted: dict[tuple[str, int], int] = defaultdict(int)
    for row in rows.moments:
        counted[row.metric_key, row.metric_version] += row.n + row.missing
    return tuple(
        metric.key
        for metric in experiment.metrics
        if units - counted[metric.key, metric.version] > max(_LATER_ROWS, _LATER_SHARE * units)
    )


def next_build(now: datetime) -> str:
    """When the numbers come, in words. now: an aware time in UTC."""
    start = now.replace(minute=BUILD_MINUTE, second=0, microsecond=0)
    if start <= now:
        start += timedelta(hours=1)
    return f"The next build begins at {start:%H:%MZ}; 'neonblue build' begins one now."


def _view(counted: Counted, now: datetime) -> str:
    if counted.to is None:
        return f"What is sent shows after up to {LIVE_SECONDS} seconds."
    age = max((now - counted.to).total_seconds(), 0)
    return (
        f"What had arrived by {counted.to:%H:%M:%SZ}, {age:.0f} seconds ago, is counted; what is sent shows after "
        f"up to {LIVE_SECONDS} seconds."
    )
