"""A guardrail's sums out of the live models, and the record of breaches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.client import Client

from neonblue.contract.messages import ExperimentMessage, MetricMessage
from neonblue.guardrails.answered import Answered
from neonblue.guardrails.breaches import Breach
from orchestration.asking import Asked

if TYPE_CHECKING:
    from neonblue.analysis import MomentRow

# Hours all of whose units have finished, with no interruption in any window, come as sums; of the few hours that are
# neither so nor wholly out of it, the units are asked one by one.
_SUMS = """
WITH
    {cuts:Array(Tuple(UInt32, DateTime64(6, 'UTC')))} AS cuts,
    {now:DateTime64(6, 'UTC')} AS moment
SELECT
    experiment_id, metric_key, metric_version, variant_key, version, sum(missing), sum(n),
    sum(v), sum(vv), sum(d), sum(dd), sum(vd)
FROM (
    SELECT
        experiment_id, metric_key, metric_version, variant_key, version, missing, n,
        toDecimal256(sum_value, 6) AS v, toDecimal256(sum_squares, 12) AS vv,
        toDecimal256(sum_denominator, 6) AS d, toDecimal256(sum_denominator_squares, 12) AS dd,
        toDecimal256(sum_value_denominator, 12) AS vd
    FROM {moments:Identifier}
    WHERE (experiment_id, metric_key, metric_version) IN {metrics:Array(Tuple(UInt32, String, UInt32))}
        AND finishes_at <= moment
        AND NOT arrayExists(
            cut -> cut.1 = experiment_id AND cut.2 > entered_from AND cut.2 < finishes_at, cuts
        )
    UNION ALL
    SELECT
        experiment_id, metric_key, metric_version, variant_key, version,
        countIf(is_missing) AS missing, countIf(NOT is_missing) AS n,
        sumIf(value, NOT is_missing) AS v, sumIf(value * value, NOT is_missing) AS vv,
        sumIf(below, NOT is_missing) AS d, sumIf(below * below, NOT is_missing) AS dd,
        sumIf(value * below, NOT is_missing) AS vd
    FROM (
        SELECT
            experiment_id, metric_key, metric_version, variant_key, version, is_missing,
            toDecimal256(value_decimal, 6) AS value, toDecimal256(denominator, 6) AS below
        FROM {units:Identifier}
        WHERE (experiment_id, metric_key, metric_version) IN {metrics:Array(Tuple(UInt32, String, UInt32))}
            AND exposure_date IN {dates:Array(Date)}
            AND (experiment_id, metric_key, metric_version, toStartOfHour(first_exposed_at))
                IN {hours:Array(Tuple(UInt32, String, UInt32, DateTime('UTC')))}
            AND first_exposed_at + toIntervalSecond(assumeNotNull(window_seconds)) <= moment
            AND NOT arrayExists(
                cut -> cut.1 = experiment_id AND cut.2 > first_exposed_at
                    AND cut.2 < first_exposed_at + toIntervalSecond(assumeNotNull(window_seconds)),
                cuts
            )
    )
    GROUP BY experiment_id, metric_key, metric_version, variant_key, version
)
GROUP BY experiment_id, metric_key, metric_version, variant_key, version
ORDER BY experiment_id, metric_key, metric_version, variant_key, version
"""
_ANSWERED = """
SELECT DISTINCT experiment_id, metric_key, variant_key, configuration_version, action
FROM guardrail_breaches
WHERE experiment_id IN {experiments:Array(UInt32)}
ORDER BY ALL
"""

Versions = Mapping[int, ExperimentMessage]
"""One experiment's snapshots by version."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What was done about a breach. version: of the configuration; evidence_at: the newest event in the evidence."""

    breach: Breach
    experiment_id: int
    version: int
    action: str
    evidence_at: datetime
    acted_at: datetime


def read_watermark(client: Client) -> datetime | None:
    """When the newest event in the models was accepted; None before they are built, and where there is no event."""
    from neonblue.results.warehouse import Mart, Warehouse

    warehouse = Warehouse.of(client)
    return warehouse.watermark(warehouse.counted((Mart.METRIC_MOMENTS, Mart.UNIT_METRIC_VALUES)))


def read_sums(
    client: Client, watched: Sequence[tuple[Versions, Sequence[MetricMessage]]], watermark: datetime
) -> list[list[MomentRow]]:
    """Of each experiment each arm's sums over the units that had finished a metric's window at the watermark, with no
    pause in it. Raises `NotBuilt`.

    watched: experiments, as their snapshots by version, each with metrics that have a window. Units are told apart by
    the version they entered under.
    """
    from neonblue.results.moments import window_parameters
    from neonblue.results.warehouse import Mart, Warehouse, built_by_this_version

    if not any(metrics for _, metrics in watched):
        return [[] for _ in watched]
    warehouse = Warehouse.of(client)
    windows = window_parameters([versions for versions, _ in watched], watermark)
    cuts: dict[int, list[datetime]] = defaultdict(list)
    for number, at in windows["interruptions"]:
        cuts[number].append(at)
    wanted = [
        ((_newest(versions).experiment_id, metric.key, metric.version), metric)
        for versions, metrics in watched
        for metric in metrics
    ]
    hours = [
        (*place, hour)
        for place, metric in wanted
        for hour in doubtful_hours(watermark, metric.window_seconds or 0, cuts[place[0]])
    ]
    parameters: dict[str, Any] = {
        "moments": warehouse.relation(Mart.METRIC_MOMENTS),
        "units": warehouse.relation(Mart.UNIT_METRIC_VALUES),
        "now": windows["now"],
        "cuts": windows["interruptions"],
        "metrics": [place for place, _ in wanted],
        "hours": hours,
        "dates": sorted({hour.date() for *_, hour in hours}),
    }
    with built_by_this_version(Mart.METRIC_MOMENTS):
        found = client.query(_SUMS, parameters=parameters).result_rows
    by_experiment = {number: list(rows) for number, rows in groupby(found, key=lambda row: row[0])}
    ratios = {place for place, metric in wanted if metric.denominator}
    return [
        [
            _moments(row, ratio=(row[0], row[1], row[2]) in ratios)
            for row in by_experiment.get(_newest(versions).experiment_id, [])
        ]
        for versions, _ in watched
    ]


def doubtful_hours(now: datetime, window_seconds: int, cuts: Iterable[datetime]) -> list[datetime]:
    """The hours of entry of which some units count and others may not: their beginnings, ascending.

    That in which a window began that ends now; those in which an interruption fell; those whose windows one ended in.
    """
    window = timedelta(seconds=window_seconds)
    inside = [cut for cut in cuts if cut != _hour(cut)]
    return sorted({_hour(at) for at in (now - window, *inside, *(cut - window for cut in cuts))})


def read_answered(client: Client, experiments: Sequence[int]) -> dict[int, list[Answered]]:
    """The breaches that something was done about, by experiment."""
    found: dict[int, list[Answered]] = defaultdict(list)
    for number, *breach in client.query(_ANSWERED, parameters={"experiments": list(experiments)}).result_rows:
        found[number].append(Answered(*breach))
    return found


def keep(client: Client, asked: Asked, action: str, watermark: datetime) -> None:
    """Keep the evidence of breaches about which this was done, by the experiment as it was when it was looked at."""
    acted_at = datetime.now(UTC)
    for breach in asked.found:
        record(client, Acted(breach, asked.experiment_id, asked.version, action, watermark, acted_at))


def record(client: Client, acted: Acted) -> None:
    """Keep the evidence on which something was done."""
    breach = acted.breach
    columns = {
        "experiment_id": acted.experiment_id,
        "experiment_key": breach.experiment_key,
        "configuration_version": acted.version,
        "metric_key": breach.metric_key,
        "variant_key": breach.variant_key,
        "n_control": breach.n_control,
        "n_variant": breach.n_variant,
        "mean_control": breach.mean_control,
        "mean_variant": breach.mean_variant,
        "reason": breach.reason,
        "action": acted.action,
        "evidence_at": acted.evidence_at,
        "paused_at": acted.acted_at,
    }
    client.insert("guardrail_breaches", [list(columns.values())], column_names=list(columns))


def _newest(versions: Versions) -> ExperimentMessage:
    return versions[max(versions)]


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _moments(row: Sequence[Any], *, ratio: bool) -> MomentRow:
    from neonblue.analysis import MomentRow
    from neonblue.analysis.rows import Products

    _, metric, metric_version, variant, version, missing, n, total, squares, *below = row
    return MomentRow(
        metric,
        metric_version,
        variant,
        version,
        date.min,
        n,
        total,
        squares,
        denominator=Products(*below) if ratio else None,
        missing=missing,
    )
