"""A guardrail's sums straight from the events, and the record of breaches.

The marts hold closed builds; a watch can't wait for them. A test compares these sums with the same in plain Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.client import Client

from neonblue.contract.messages import DenominatorMessage, ExperimentMessage, MetricMessage
from neonblue.guardrails.breaches import Breach

if TYPE_CHECKING:
    from neonblue.analysis import MomentRow

_WATERMARK = "SELECT max(received_at) FROM events_processed"
_SUMS = """
WITH
    erasures AS (
        SELECT person_key, person, max(erased_at) AS erased_until
        FROM erased_users FINAL WHERE unit_type = {unit_type:String} GROUP BY person_key, person
    ),
    erased AS (
        SELECT person_key, max(erased_until) AS last_erased_at,
               mapFromArrays(groupArray(person), groupArray(erased_until)) AS erased_at_of
        FROM erasures GROUP BY person_key
    ),
    links AS (
        SELECT linked.anonymous_id AS anonymous_id, linked.user_id AS person
        FROM user_links AS linked FINAL
        LEFT ANY JOIN erased ON cityHash64(linked.unit_type, linked.user_id) = erased.person_key
        LEFT ANY JOIN erased AS anonymous ON cityHash64(linked.unit_type, linked.anonymous_id) = anonymous.person_key
        WHERE linked.unit_type = {unit_type:String}
            AND (linked.received_at > erased.last_erased_at OR linked.received_at
                > erased.erased_at_of[SHA256(concat(linked.unit_type, '\\0', linked.user_id))])
            AND (linked.received_at > anonymous.last_erased_at OR linked.received_at
                > anonymous.erased_at_of[SHA256(concat(linked.unit_type, '\\0', linked.anonymous_id))])
    ),
    events AS (
        SELECT if(links.person = '', sent.user_id, links.person) AS user_id,
               event_type, timestamp, experiment_id, value, properties
        FROM events_processed AS sent FINAL
        LEFT ANY JOIN erased ON cityHash64(sent.unit_type, sent.user_id) = erased.person_key
        LEFT ANY JOIN links ON sent.user_id = links.anonymous_id
        WHERE unit_type = {unit_type:String} AND experiment_id IN (0, {experiment:UInt32})
            AND timestamp >= {since:DateTime64(6, 'UTC')}
            AND event_type IN ('exposure', {event_type:String}, {denominator_type:String})
            AND (received_at > erased.last_erased_at
                OR received_at > erased.erased_at_of[SHA256(concat(sent.unit_type, '\\0', sent.user_id))])
    ),
    units AS (
        SELECT if(links.person = '', given.user_id, links.person) AS unit,
               any(variant_key) AS variant, min(assigned_at) AS entered_at,
               argMin(version, (assigned_at, given.user_id = unit, given.user_id)) AS entered_under
        FROM assignments AS given FINAL
        LEFT ANY JOIN erased ON cityHash64(given.unit_type, given.user_id) = erased.person_key
        LEFT ANY JOIN links ON given.user_id = links.anonymous_id
        WHERE experiment_id = {experiment:UInt32} AND unit_type = {unit_type:String}
            AND (received_at > erased.last_erased_at
                OR received_at > erased.erased_at_of[SHA256(concat(given.unit_type, '\\0', given.user_id))])
        GROUP BY unit
        HAVING uniqExact(variant_key) = 1
    ),
    exposures AS (
        SELECT user_id, min(timestamp) AS exposed_at
        FROM events WHERE event_type = 'exposure' AND experiment_id = {experiment:UInt32} GROUP BY user_id
    ),
    population AS (
        SELECT units.unit AS user_id, units.variant AS variant, units.entered_under AS version,
               if({assigned:Bool}, units.entered_at, exposures.exposed_at) AS first_at
        FROM units
        LEFT ANY JOIN exposures ON units.unit = exposures.user_id
        WHERE ({assigned:Bool} OR exposures.exposed_at > toDateTime64(0, 6, 'UTC'))
            AND first_at + toIntervalSecond({window:UInt32}) <= {watermark:DateTime64(6, 'UTC')}
            AND NOT arrayExists(
                at -> first_at < at AND at < first_at + toIntervalSecond({window:UInt32}),
                {interruptions:Array(DateTime64(6, 'UTC'))})
    ),
    totals AS (
        SELECT user_id,
               countIf(counts) AS events, sumIf(value, counts) AS total,
               countIf(divides) AS denominator_events, sumIf(value, divides) AS denominator_total
        FROM (
            SELECT events.user_id AS user_id, events.value AS value,
                   events.event_type = {event_type:String}
                   AND arrayAll((name, wanted) ->
                       coalesce(JSONExtract(events.properties, name, 'Nullable(String)') = wanted, false),
                       {properties:Array(String)}, {wanted:Array(String)}) AS counts,
                   events.event_type = {denominator_type:String}
                   AND arrayAll((name, wanted) ->
                       coalesce(JSONExtract(events.properties, name, 'Nullable(String)') = wanted, false),
                       {denominator_properties:Array(String)}, {denominator_wanted:Array(String)}) AS divides
            FROM events
            INNER JOIN population USING (user_id)
            WHERE events.timestamp >= population.first_at + toIntervalSecond({window_start:UInt32})
                AND events.timestamp < population.first_at + toIntervalSecond({window:UInt32})
        )
        GROUP BY user_id
    ),
    unit_values AS (
        SELECT population.variant AS variant, population.version AS version,
               NOT {exclude:Bool} OR events > 0 AS has_value,
               toDecimal256(least(
                   multiIf({aggregation:String} = 'any', toDecimal128(events > 0, 6),
                           {aggregation:String} = 'count', toDecimal128(events, 6), total),
                   toDecimal128({cap:String}, 6)), 6) AS v,
               toDecimal256(
                   multiIf({denominator_aggregation:String} = 'any', toDecimal128(denominator_events > 0, 6),
                           {denominator_aggregation:String} = 'count', toDecimal128(denominator_events, 6),
                           denominator_total), 6) AS d
        FROM population
        LEFT ANY JOIN totals USING (user_id)
    )
SELECT variant, version, countIf(NOT has_value), countIf(has_value),
       sumIf(v, has_value), sumIf(v * v, has_value),
       sumIf(d, has_value), sumIf(d * d, has_value), sumIf(v * d, has_value)
FROM unit_values
GROUP BY variant, version
"""
_NO_CAP = "99999999999999999999999999999999"
_NO_DENOMINATOR = DenominatorMessage(event_type="", aggregation="count")


@dataclass(frozen=True, slots=True)
class Paused:
    """An experiment that was paused for a breach. evidence_at: the newest event in the evidence."""

    breach: Breach
    experiment_id: int
    evidence_at: datetime
    paused_at: datetime


def read_watermark(client: Client) -> datetime:
    """When the newest event in ClickHouse was accepted."""
    watermark: datetime = client.query(_WATERMARK).result_rows[0][0]
    return watermark if watermark.tzinfo else watermark.replace(tzinfo=UTC)


def read_sums(
    client: Client,
    configurations: Mapping[int, ExperimentMessage],
    metric: MetricMessage,
    watermark: datetime,
) -> list[MomentRow]:
    """Each arm's sums over the units that had finished the metric's window at the watermark, with no pause in it.

    configurations: the experiment's snapshots by version; units are told apart by the one they entered under.
    """
    from neonblue.analysis import MomentRow
    from neonblue.analysis.rows import Products

    found = client.query(_SUMS, parameters=_parameters(configurations, metric, watermark)).result_rows
    return [
        MomentRow(
            metric.key,
            metric.version,
            variant,
            version,
            date.min,
            n,
            total,
            squares,
            denominator=Products(*denominator) if metric.denominator else None,
            missing=missing,
        )
        for variant, version, missing, n, total, squares, *denominator in found
    ]


def record(client: Client, paused: Paused) -> None:
    """Keep the evidence on which the experiment was paused."""
    breach = paused.breach
    columns = {
        "experiment_id": paused.experiment_id,
        "experiment_key": breach.experiment_key,
        "metric_key": breach.metric_key,
        "variant_key": breach.variant_key,
        "n_control": breach.n_control,
        "n_variant": breach.n_variant,
        "mean_control": breach.mean_control,
        "mean_variant": breach.mean_variant,
        "reason": breach.reason,
        "evidence_at": paused.evidence_at,
        "paused_at": paused.paused_at,
    }
    client.insert("guardrail_breaches", [list(columns.values())], column_names=list(columns))


def _parameters(
    configurations: Mapping[int, ExperimentMessage], metric: MetricMessage, watermark: datetime
) -> dict[str, Any]:
    from neonblue.analysis.windows import interruptions

    experiment = configurations[max(configurations)]
    denominator = metric.denominator or _NO_DENOMINATOR
    started = experiment.started_at or "1970-01-01T00:00:00Z"
    return {
        "experiment": experiment.experiment_id,
        "unit_type": experiment.unit_type,
        "assigned": experiment.population == "assigned",
        "since": datetime.fromisoformat(started),
        "watermark": watermark,
        "interruptions": interruptions(configurations),
        "event_type": metric.event_type,
        "properties": list(metric.property_filter or {}),
        "wanted": list((metric.property_filter or {}).values()),
        "aggregation": metric.aggregation,
        "window_start": metric.window_start_seconds,
        "window": metric.window_seconds,
        "cap": metric.cap or _NO_CAP,
        "exclude": metric.missing == "exclude",
        "denominator_type": denominator.event_type,
        "denominator_properties": list(denominator.property_filter or {}),
        "denominator_wanted": list((denominator.property_filter or {}).values()),
        "denominator_aggregation": denominator.aggregation,
    }
