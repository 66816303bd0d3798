"""Which units have finished their window: from the first exposure to its end, with no pause in between. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from neonblue.analysis.rows import ExperimentRows, MomentRow
from neonblue.contract.messages import ExperimentMessage
from neonblue.contract.metric_types import DIVIDED, SUMMED

_SERVING = frozenset({"running", ""})  # "": nothing is known of what was before
_STOPPED = frozenset({"paused", "concluded", "archived"})


@dataclass(frozen=True, slots=True)
class Standstill:
    """A time in which units were not served their variant: a pause, or what follows the conclusion (ended: None)."""

    began: datetime
    ended: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether an exposure of then is none."""
        return self.began <= moment and (self.ended is None or moment < self.ended)


def standstills(configurations: Mapping[int, ExperimentMessage]) -> list[Standstill]:
    """Each of them, ascending: as `interruptions_rows` of the models has them.

    configurations: the experiment's snapshots by version.
    """
    found: list[Standstill] = []
    status, at = "", datetime.min.replace(tzinfo=UTC)
    for version in sorted(configurations):
        snapshot = configurations[version]
        stopped = snapshot.status in _STOPPED
        ended = snapshot.concluded_at if stopped and snapshot.status != "paused" else None
        # Each version has the time of the process that took it: a later one is no earlier.
        at = max(at, datetime.fromisoformat(ended or snapshot.received_at))
        if stopped and status in _SERVING:
            found.append(Standstill(at))
        elif found and snapshot.status == "running" and status in _STOPPED:
            found[-1] = Standstill(found[-1].began, at)
        status = snapshot.status
    return found


def interruptions(configurations: Mapping[int, ExperimentMessage]) -> list[datetime]:
    """When units ceased to be served their variant: each pause and the conclusion, ascending.

    configurations: the experiment's snapshots by version. A window that was open then never counts: what its unit met
    in the rest of it was something else.
    """
    return [standstill.began for standstill in standstills(configurations)]


def finished_by(moment: datetime) -> Callable[[MomentRow], bool]:
    """Whether a row's units had finished their window by then. Without a window they count as they are."""

    def finished(row: MomentRow) -> bool:
        return row.finishes_at is None or (not row.cut_short and row.finishes_at <= moment)

    return finished


def entered_before(moment: datetime, also: Callable[[MomentRow], bool]) -> Callable[[MomentRow], bool]:
    """Whether a row's units entered on a day before that of the moment, and what else is asked of it."""
    day = moment.date()

    def entered(row: MomentRow) -> bool:
        return row.exposure_date < day and also(row)

    return entered


@dataclass(frozen=True, slots=True)
class SoFar:
    """Units that are not judged, since their window has not ended or was cut short, and their mean so far.

    mean: the metric's value, of a ratio that of the sums; None where it has none, as for quantiles.
    """

    units: int
    mean: float | None


NOBODY = SoFar(0, None)


def waits_for_windows(
    configurations: Mapping[int, ExperimentMessage], rows: ExperimentRows, now: datetime
) -> bool:
    """Whether units of a current metric may still finish their window, so that their share of the answer is to come."""
    newest = configurations[max(configurations)]
    versions = {metric.key: metric.version for metric in newest.metrics}
    moments = any(
        row.finishes_at is not None and not row.cut_short and row.finishes_at > now
        for row in rows.moments
        if versions.get(row.metric_key) == row.metric_version
    )
    # Of a quantile it is not known which windows were cut short: after a pause nothing is waited for.
    uncut = not interruptions(configurations)
    return moments or (uncut and any(row.unfinished for row in rows.quantiles if row.metric_key in versions))


def so_far(newest: ExperimentMessage, rows: ExperimentRows, now: datetime) -> dict[tuple[str, str], SoFar]:
    """The unfinished units of every metric with a window, by metric and arm."""
    metrics = {(metric.key, metric.version): metric.type for metric in newest.metrics}
    finished = finished_by(now)
    waiting: dict[tuple[str, str], list[MomentRow]] = defaultdict(list)
    for row in rows.moments:
        if (row.metric_key, row.metric_version) in metrics and not finished(row):
            waiting[row.metric_key, row.variant_key].append(row)
    found = {
        cell: SoFar(
            sum(row.n + row.missing for row in unfinished),
            _value(metrics[unfinished[0].metric_key, unfinished[0].metric_version], unfinished),
        )
        for cell, unfinished in waiting.items()
    }
    for quantile in rows.quantiles:
        if quantile.unfinished:
            found[quantile.metric_key, quantile.variant_key] = SoFar(quantile.unfinished, None)
    return found


def _value(kind: str, rows: Sequence[MomentRow]) -> float | None:
    """A metric's value over the units of these rows; None of a quantile, and where nothing stands below a ratio."""
    if kind not in SUMMED:
        return None
    total = sum((row.sum_value for row in rows), Decimal(0))
    if kind in DIVIDED:
        below = sum((row.denominator.sum for row in rows if row.denominator is not None), Decimal(0))
    else:
        below = Decimal(sum(row.n for row in rows))
    return float(total / below) if below else None
