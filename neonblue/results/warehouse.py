"""What ClickHouse knows of one experiment: with the open days, from the live views where they are built, or without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from neonblue.contract.messages import ExperimentMessage

_RELATIONS = "SELECT name FROM system.tables WHERE database = currentDatabase()"
# The key of a deleted draft may be another experiment's now: the newest has it.
_CONFIGURATIONS = """
SELECT version, snapshot
FROM experiments
WHERE key = {key:String} AND experiment_id = (SELECT max(experiment_id) FROM experiments WHERE key = {key:String})
ORDER BY version, received_at DESC
LIMIT 1 BY version
"""
_WATERMARK = """
SELECT max(received_at), count()
FROM events_processed
WHERE ingested_at <= {counted_to:DateTime64(3, 'UTC')}
SETTINGS final = 0
"""
# The first of a chain of refreshes began at most as long before its last as all of them take.
_REFRESHED = """
SELECT
    min(toDateTime64(last_success_time, 3, 'UTC')) - toIntervalMillisecond(sum(last_success_duration_ms)),
    count() > 0 AND countIf(last_success_time IS NULL) = 0
FROM system.view_refreshes
WHERE database = concat(currentDatabase(), '_live')
"""
# The scan that the last finished build began with, since touched_days may know of one that is not finished; and the
# hour from which on the live views count. A build that finds nothing touched, as the first of an empty store, leaves no
# scan: then nothing had come before that hour.
_SCANNED = """
SELECT
    (SELECT count() > 0 FROM closings),
    (SELECT argMax(open_at, closed_at) FROM closings) AS open_at,
    (SELECT max(closed_at) FROM closings) AS closed_at,
    greatest(maxIf(scanned_at, scanned_at <= closed_at), toDateTime64(open_at, 3, 'UTC'))
FROM touched_days
"""
_OFFSETS = """
SELECT _partition, min(reached)
FROM
(
    SELECT _partition, max(_offset) AS reached FROM events_processed GROUP BY _partition
    UNION ALL
    SELECT _partition, max(_offset) AS reached FROM assignments GROUP BY _partition
    UNION ALL
    SELECT _partition, max(_offset) AS reached FROM experiments GROUP BY _partition
    UNION ALL
    SELECT _partition, max(_offset) AS reached FROM erased_users GROUP BY _partition
)
GROUP BY _partition
ORDER BY _partition
SETTINGS final = 0
"""
_NO_SUCH_COLUMN = ("UNKNOWN_IDENTIFIER", "NO_SUCH_COLUMN_IN_TABLE", "NOT_FOUND_COLUMN_IN_BLOCK")


class Mart(StrEnum):
    """The models that results are read from."""

    METRIC_MOMENTS = "metric_moments"
    FIRST_EXPOSURES = "first_exposures"
    UNIT_METRIC_VALUES = "unit_metric_values"
    ASSIGNED_UNITS = "assigned_units"
    EXPOSURE_STAGES = "exposure_stages"
    DAILY_METRICS = "daily_metrics"
    HOURLY_METRICS = "hourly_metrics"
    FUNNELS = "funnels"
    USER_JOURNEYS = "user_journeys"
    COHORT_RETENTION = "cohort_retention"
    SEGMENT_METRICS = "segment_metrics"
    REVENUE_ATTRIBUTION = "revenue_attribution"


@dataclass(frozen=True, slots=True)
class Counted:
    """Up to when a warehouse counts; every time is an aware one.

    to: whatever was ingested by then is in the numbers; built_to: so it is in those of the last finished build;
    open_at: what happened from then on is counted live. None where nothing is built.
    """

    to: datetime | None = None
    built_to: datetime | None = None
    open_at: datetime | None = None


class NotBuilt(Exception):  # noqa: N818 - a state of the warehouse, not a mistake
    """The models have not been built yet, or by an older version whose tables lack a column."""

    def __init__(self, mart: Mart) -> None:
        super().__init__(f"The model {mart} has not been built yet.")
        self.mart = mart


@contextmanager
def built_by_this_version(mart: Mart) -> Iterator[None]:
    """Around a query of the model. Raises NotBuilt where it lacks a column: the next build makes its table anew."""
    try:
        yield
    except DatabaseError as error:
        if any(code in str(error) for code in _NO_SUCH_COLUMN):
            raise NotBuilt(mart) from error
        raise


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A reader of one state of the models. Every call raises ClickHouse's or the network's error.

    live: whether the live views are read, where there are any; else what the last build left.
    """

    client: Client
    relations: frozenset[str]
    live: bool = True

    @classmethod
    def of(cls, client: Client, *, live: bool = True) -> Warehouse:
        """With the relations there are now."""
        names = frozenset(str(name) for (name,) in client.query(_RELATIONS).result_rows)
        return cls(client, names, live)

    def relation(self, mart: Mart) -> str:
        """The live view of the model, else its table. Raises NotBuilt."""
        if self.is_live(mart):
            return f"live_{mart}"
        if mart.value in self.relations:
            return mart.value
        raise NotBuilt(mart)

    def is_live(self, mart: Mart) -> bool:
        """Whether the model's numbers include the open days."""
        return self.live and f"live_{mart}" in self.relations

    def configurations(self, key: str) -> dict[int, ExperimentMessage]:
        """The experiment's snapshots by version; none before the first has arrived."""
        found = self.client.query(_CONFIGURATIONS, parameters={"key": key}).result_rows
        return {version: msgspec.json.decode(text, type=ExperimentMessage) for version, text in found}

    def of_experiment(
        self, mart: Mart, query: str, experiment: ExperimentMessage, **values: Any
    ) -> Sequence[Sequence[Any]]:
        """The rows of `query`, in which `relation` and `experiment` are parameters. Raises NotBuilt."""
        return self.of_model(mart, query, experiment=experiment.experiment_id, **values)

    def of_model(self, mart: Mart, query: str, **values: Any) -> Sequence[Sequence[Any]]:
        """The rows of `query`, in which `relation` is a parameter. Raises NotBuilt."""
        parameters = {"relation": self.relation(mart), **values}
        with built_by_this_version(mart):
            found: Sequence[Sequence[Any]] = self.client.query(query, parameters=parameters).result_rows
        return found

    def watermark(self, counted: Counted | None = None) -> datetime | None:
        """Everything received up to then, an aware time, is in the numbers; None where nothing is.

        Of live numbers save what came late for an hour that is closed: the next build counts it. counted: where it is
        known already.
        """
        counted = counted or self.counted()
        if counted.to is None:
            return None
        ((newest, events),) = self.client.query(_WATERMARK, parameters={"counted_to": counted.to}).result_rows
        return newest.replace(tzinfo=UTC) if events else None

    def offsets(self) -> dict[str, int]:
        """Per partition the smallest offset that every view with rows of it has reached."""
        return {
            str(partition): int(reached) for partition, reached in self.client.query(_OFFSETS).result_rows
        }

    def counted_to(self) -> datetime | None:
        """As `Counted.to`."""
        return self.counted().to

    def counted(self, marts: Iterable[Mart] = Mart) -> Counted:
        """Up to when everything is counted, in the build's tables and where the live views add to them.

        marts: the models that are asked about.
        """
        if not {"touched_days", "closings"} <= self.relations:
            return Counted()
        ((is_built, open_at, _, scanned_at),) = self.client.query(_SCANNED).result_rows
        if not is_built:
            return Counted()
        built_to, open_at = scanned_at.replace(tzinfo=UTC), open_at.replace(tzinfo=UTC)
        live = {self.is_live(mart) for mart in marts}
        if True not in live:
            return Counted(built_to, built_to)
        ((refreshed_at, is_refreshed),) = self.client.query(_REFRESHED).result_rows
        if not is_refreshed:
            return Counted(None, built_to, open_at)
        refreshed_at = refreshed_at.replace(tzinfo=UTC)
        return Counted(min(refreshed_at, built_to) if False in live else refreshed_at, built_to, open_at)
