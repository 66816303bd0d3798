"""How many units reached each stage: the first two from PostgreSQL, the others from the models in ClickHouse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from clickhouse_connect.driver.client import Client

from neonblue.contract.messages import ExperimentMessage
from orchestration.defs.significance.repository import RunStamp, insert

if TYPE_CHECKING:
    from neonblue.analysis.stages import StageRatio, StageUnits

# The unit is the person, as in the models: its ids count once, the first assignment gives the version, and whoever has
# two variants is left out of every stage. Whoever was erased is gone from PostgreSQL, and from the models with the next
# build. Ids are read twice rather than kept: most are nobody else's and are counted as they come, and only those that
# are linked, which are few, are grouped.
_ACCEPTED = """
WITH ids AS NOT MATERIALIZED (
    SELECT given.*, link.anonymous_id, person.user_id AS person_id, coalesce(link.user_id, person.user_id) AS person
    FROM assignments AS given
    LEFT JOIN user_links AS link
        ON (link.unit_type, link.anonymous_id) = (given.unit_type, given.user_id)
    LEFT JOIN (SELECT DISTINCT unit_type, user_id FROM user_links) AS person
        ON (person.unit_type, person.user_id) = (given.unit_type, given.user_id)
    WHERE given.experiment_id = ANY(%(experiments)s)
),
units AS (
    SELECT experiment_id, version, variant_key, exposed_at IS NOT NULL AS exposed
    FROM ids
    WHERE anonymous_id IS NULL AND person_id IS NULL
    UNION ALL
    SELECT
        experiment_id,
        (array_agg(version ORDER BY assigned_at, user_id = person, user_id COLLATE "C"))[1],
        min(variant_key),
        bool_or(exposed_at IS NOT NULL)
    FROM ids
    WHERE person IS NOT NULL
    GROUP BY experiment_id, unit_type, person
    HAVING count(DISTINCT variant_key) = 1
)
SELECT experiment_id, version, variant_key, count(*), count(*) FILTER (WHERE exposed)
FROM units
GROUP BY experiment_id, version, variant_key
"""
# Both tables are stored in the order of their units: merged, they take no memory for each unit.
_INGESTED = """
SELECT experiment_id, version, variant_key, count()
FROM assigned_units
INNER JOIN exposed_units USING (experiment_id, unit_type, user_id)
WHERE experiment_id IN {experiments:Array(UInt32)} AND assigned_units.variants = 1
GROUP BY experiment_id, version, variant_key
SETTINGS join_algorithm = 'full_sorting_merge'
"""
_ANALYSED = """
SELECT experiment_id, version, variant_key, count()
FROM first_exposures
WHERE experiment_id IN {experiments:Array(UInt32)}
GROUP BY experiment_id, version, variant_key
"""


def read_stages(
    postgres: psycopg.Connection, client: Client, experiments: Sequence[ExperimentMessage]
) -> dict[int, list[StageUnits]]:
    """Units by experiment, stage, configuration version and variant.

    Where the population is those assigned, no exposure is needed: only the first and the last stage apply.
    """
    from neonblue.analysis.stages import Stage, StageUnits

    exposed = {experiment.experiment_id for experiment in experiments if experiment.population == "exposed"}
    wanted = {"experiments": [experiment.experiment_id for experiment in experiments]}
    found: dict[int, list[StageUnits]] = defaultdict(list)
    for experiment, version, variant, assigned, met in postgres.execute(_ACCEPTED, wanted):
        found[experiment].append(StageUnits(Stage.ASSIGNED, version, variant, assigned))
        if experiment in exposed:
            found[experiment].append(StageUnits(Stage.EXPOSED, version, variant, met))
    for stage, query in ((Stage.INGESTED, _INGESTED), (Stage.ANALYSED, _ANALYSED)):
        for experiment, version, variant, units in client.query(query, parameters=wanted).result_rows:
            if stage is Stage.ANALYSED or experiment in exposed:
                found[experiment].append(StageUnits(stage, version, variant, units))
    return found


def write_stages(
    client: Client,
    configurations: Mapping[int, ExperimentMessage],
    units: Sequence[StageUnits],
    ratios: Sequence[StageRatio],
    stamp: RunStamp,
) -> None:
    """Append one experiment's stages."""
    newest = configurations[max(configurations)]
    by_stage = {ratio.stage: ratio for ratio in ratios}
    insert(
        client,
        "sample_ratio_stages",
        [
            {
                "run_id": stamp.run_id,
                "computed_at": stamp.computed_at,
                "experiment_id": newest.experiment_id,
                "experiment_key": newest.key,
                "version": row.version,
                "stage": row.stage.value,
                "variant_key": row.variant_key,
                "units": row.units,
                "weight": _weight(configurations, row),
                "p_value": _p_value(by_stage[row.stage].test),
                "broken": by_stage[row.stage].broken,
            }
            for row in units
        ],
    )


def _weight(configurations: Mapping[int, ExperimentMessage], row: StageUnits) -> float:
    configuration = configurations.get(row.version)
    variants = configuration.variants if configuration else []
    return next((float(v.weight) for v in variants if v.key == row.variant_key and v.active), 0.0)


def _p_value(test: Any) -> float | None:
    return getattr(test, "p_value", None)
