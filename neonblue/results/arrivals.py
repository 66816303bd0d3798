"""What ClickHouse has received of an experiment, beside what the numbers hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from neonblue.contract.messages import ExperimentMessage
from neonblue.results.warehouse import Counted, Warehouse

# Rows of closed hours wait for the next build, those of open hours for the next live view. A unit whose rows were read
# and that is in no number was left out for a reason, and waits for nothing.
_ASSIGNED = """
SELECT
    uniqExact(unit_type, user_id),
    countIf(assigned_at < {open_at:DateTime64(6, 'UTC')} AND ingested_at > {built_to:DateTime64(3, 'UTC')}),
    countIf(assigned_at >= {open_at:DateTime64(6, 'UTC')} AND ingested_at > {counted_to:DateTime64(3, 'UTC')})
FROM assignments
WHERE experiment_id = {experiment:UInt32}
SETTINGS final = 0
"""
_EVENTS = """
SELECT
    uniqExactIf((unit_type, user_id), event_type = 'exposure'),
    countIf(timestamp < {open_at:DateTime64(6, 'UTC')} AND ingested_at > {built_to:DateTime64(3, 'UTC')}),
    countIf(timestamp >= {open_at:DateTime64(6, 'UTC')} AND ingested_at > {counted_to:DateTime64(3, 'UTC')})
FROM events_processed
WHERE experiment_id = {experiment:UInt32}
    AND (event_type = 'exposure' OR {any_event:Bool})
    AND ({any_unit:Bool} OR (unit_type, user_id) IN (
        SELECT unit_type, user_id FROM assignments WHERE experiment_id = {experiment:UInt32}
    ))
SETTINGS final = 0
"""
# The days that units entered on, of which the sums were never built, or not since the last scan of a finished build.
_DAYS = """
SELECT count()
FROM
(
    SELECT day, max(scanned_at) AS touched_at
    FROM touched_days
    WHERE axis = 'exposure' AND scanned_at <= {built_to:DateTime64(3, 'UTC')}
        AND day < toDate({open_at:DateTime64(6, 'UTC')})
        AND day BETWEEN {first:Date} AND {last:Date}
    GROUP BY day
) AS touched
LEFT JOIN
(
    SELECT day, argMax(scanned_at, partition_builds.built_at) AS built_at
    FROM partition_builds
    WHERE model = 'metric_moments'
    GROUP BY day
) AS builds ON touched.day = builds.day
WHERE built_at = toDateTime64(0, 3, 'UTC') OR ({again:Bool} AND built_at < touched_at)
"""
_OF_ASSIGNMENTS = """
SELECT min(toDate(assigned_at)), max(toDate(assigned_at))
FROM assignments
WHERE experiment_id = {experiment:UInt32}
SETTINGS final = 0
"""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Rows of one experiment in ClickHouse.

    assigned, exposed: units, as sent. for_build, for_view: rows that the next build, the next live view will count.
    """

    assigned: int = 0
    exposed: int = 0
    for_build: int = 0
    for_view: int = 0


def read_arrivals(warehouse: Warehouse, experiment: ExperimentMessage, counted: Counted) -> Arrivals:
    """What has arrived: of imported data every row, else the rows that bring units in. Reads the whole of the events.

    counted: times that are missing are those of before the first build.
    """
    imported = experiment.source == "external"
    parameters: dict[str, Any] = {
        "experiment": experiment.experiment_id,
        "any_event": imported,
        "any_unit": imported,
        **_times(counted),
    }
    assigned, *assignments = warehouse.client.query(_ASSIGNED, parameters=parameters).result_rows[0]
    exposed, *events = warehouse.client.query(_EVENTS, parameters=parameters).result_rows[0]
    bringing = [0, 0]
    if imported or experiment.population == "assigned":
        bringing = assignments
    if imported or experiment.population != "assigned":
        bringing = [one + other for one, other in zip(bringing, events, strict=True)]
    return Arrivals(int(assigned), int(exposed), int(bringing[0]), int(bringing[1]))


def unbuilt_days(warehouse: Warehouse, experiment: ExperimentMessage, counted: Counted) -> int:
    """UTC days on which units entered the experiment, or may have, whose sums no build has made.

    Of imported data also those that a build of chosen days has left behind.
    """
    if counted.built_to is None or "partition_builds" not in warehouse.relations:
        return 0
    imported = experiment.source == "external"
    if imported:
        found = warehouse.client.query(_OF_ASSIGNMENTS, parameters={"experiment": experiment.experiment_id})
        first, last = found.result_rows[0]
    else:
        first, last = _day(experiment.started_at), _day(experiment.concluded_at) or datetime.now(UTC).date()
    if not first:
        return 0
    parameters = {"first": first, "last": last, "again": imported, **_times(counted)}
    ((days,),) = warehouse.client.query(_DAYS, parameters=parameters).result_rows
    return int(days)


def _day(instant: str | None) -> Any:
    return None if instant is None else datetime.fromisoformat(instant).astimezone(UTC).date()


def _times(counted: Counted) -> dict[str, datetime]:
    """A warehouse without a build has counted nothing; one without live views leaves all to the next build."""
    never, always = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
    built_to = counted.built_to or never
    return {
        "built_to": built_to,
        "counted_to": counted.to or built_to,
        "open_at": counted.open_at or always,
    }
