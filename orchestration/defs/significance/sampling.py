"""Reads the raw events of some units, and compares what they give with what the models stored."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from neonblue.analysis.windows import Standstill, standstills
from neonblue.contract.messages import ExperimentMessage, MetricMessage
from orchestration.defs.significance.recompute import (
    Difference,
    RawEvent,
    can_compare,
    can_recompute,
    unit_value,
)
from orchestration.defs.significance.repository import has_started, read_configurations

UNITS = 200
# Units that nothing has come in about since the models were built, no erasure either: theirs can't have changed. They
# were first exposed a day or more after the last month that retention dropped: no event of theirs has gone with it.
_SAMPLE = """
SELECT values.user_id, values.value_decimal, assigned.assigned_at
FROM unit_metric_values AS values
INNER JOIN assigned_units AS assigned USING (experiment_id, unit_type, user_id)
WHERE values.experiment_id = {experiment:UInt32} AND values.metric_key = {metric:String}
    AND values.metric_version = {version:UInt32}
    AND values.exposure_date > (SELECT addMonths(max(first_day), 1) FROM dropped_periods WHERE period = 'month')
    AND values.user_id NOT IN (
        SELECT if(links.user_id = '', events.user_id, links.user_id)
        FROM (
            SELECT unit_type, user_id FROM events_processed
            WHERE ingested_at >= {built:DateTime64(3, 'UTC')} - INTERVAL 10 SECOND
        ) AS events
        LEFT ANY JOIN user_links AS links
            ON events.unit_type = links.unit_type AND events.user_id = links.anonymous_id
    )
    AND values.user_id NOT IN (
        SELECT arrayJoin([user_id, anonymous_id]) FROM user_links
        WHERE ingested_at >= {built:DateTime64(3, 'UTC')} - INTERVAL 10 SECOND
            OR cityHash64(unit_type, anonymous_id) IN (SELECT person_key FROM erased_users)
            OR cityHash64(unit_type, user_id) IN (SELECT person_key FROM erased_users)
    )
    AND cityHash64(values.unit_type, values.user_id) NOT IN (
        SELECT person_key FROM erased_users
        WHERE ingested_at >= {built:DateTime64(3, 'UTC')} - INTERVAL 10 SECOND
    )
ORDER BY sipHash64(values.user_id, {seed:String})
LIMIT {limit:UInt32}
"""
# Of the erased only what came afterwards, as people who came back. What came late for a month that retention dropped is
# in no model.
_EVENTS = """
WITH erasures AS (
    SELECT person_key, person, max(erased_at) AS erased_until FROM erased_users
    WHERE unit_type = {unit_type:String} GROUP BY person_key, person
), erased AS (
    SELECT person_key, max(erased_until) AS last_erased_at,
           mapFromArrays(groupArray(person), groupArray(erased_until)) AS erased_at_of
    FROM erasures GROUP BY person_key
), links AS (
    SELECT anonymous_id, any(user_id) AS user_id FROM user_links
    WHERE unit_type = {unit_type:String} GROUP BY anonymous_id
)
SELECT if(links.user_id = '', events.user_id, links.user_id) AS unit,
       toString(event_id), experiment_id, event_type, timestamp, value, properties, events.received_at
FROM events_processed AS events
LEFT ANY JOIN erased ON cityHash64(events.unit_type, events.user_id) = erased.person_key
LEFT ANY JOIN links ON events.user_id = links.anonymous_id
WHERE events.unit_type = {unit_type:String} AND toStartOfMonth(events.timestamp) NOT IN (
    SELECT first_day FROM dropped_periods WHERE period = 'month'
) AND (
    events.received_at > erased.last_erased_at
    OR events.received_at > erased.erased_at_of[SHA256(concat(events.unit_type, '\\0', events.user_id))]
) AND (
    events.user_id IN {users:Array(String)}
    OR events.user_id IN (
        SELECT anonymous_id FROM user_links
        WHERE unit_type = {unit_type:String} AND user_id IN {users:Array(String)}
    )
)
SETTINGS final = 0
"""


def sample_metric(client: Client, seed: str) -> tuple[ExperimentMessage, MetricMessage] | None:
    """One metric of one started experiment; the same for the same seed. None where there is none."""
    newest = [versions[max(versions)] for versions in read_configurations(client).values()]
    choices = [
        (experiment, metric)
        for experiment in newest
        if has_started(experiment)
        for metric in experiment.metrics
        if can_recompute(metric)
    ]
    return random.Random(seed).choice(choices) if choices else None  # noqa: S311 - no secret


def differences(
    client: Client, experiment: ExperimentMessage, metric: MetricMessage, built: datetime, seed: str
) -> tuple[int, list[Difference]]:
    """How many units were looked at, and those whose stored value differs."""
    sample = client.query(
        _SAMPLE,
        parameters={
            "experiment": experiment.experiment_id,
            "metric": metric.key,
            "version": metric.version,
            "built": built,
            "seed": seed,
            "limit": UNITS,
        },
    ).result_rows
    events = _read_events(client, experiment.unit_type, [row[0] for row in sample])
    stopped = _standstills(client, experiment)
    found = []
    sample = [row for row in sample if can_compare(metric, events[row[0]])]
    for user, stored, assigned_at in sample:
        entered = assigned_at.replace(tzinfo=UTC) if experiment.population == "assigned" else None
        value = unit_value(metric, experiment.experiment_id, events[user], entered, stopped)
        if value != stored:
            found.append(Difference(user, stored, value))
    return len(sample), found


def _standstills(client: Client, experiment: ExperimentMessage) -> list[Standstill]:
    if experiment.source == "external":
        return []
    return standstills(read_configurations(client, experiment.key).get(experiment.experiment_id, {}))


def _read_events(client: Client, unit_type: str, users: Sequence[str]) -> dict[str, list[RawEvent]]:
    found: dict[str, list[RawEvent]] = defaultdict(list)
    parameters = {"unit_type": unit_type, "users": users}
    for user, *columns in client.query(_EVENTS, parameters=parameters).result_rows:
        event = RawEvent(*columns)
        times = {name: getattr(event, name).replace(tzinfo=UTC) for name in ("occurred_at", "received_at")}
        found[user].append(replace(event, **times))
    return found
