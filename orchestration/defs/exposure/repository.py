"""How many units reached each stage: the first two from PostgreSQL, the others from ClickHouse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from clickhouse_connect.driver.client import Client

from neonblue.contract.messages import ExperimentMessage
from orchestration.defs.significance.repository import RunStamp, insert

if TYPE_CHECKING:
    from orchestration.defs.exposure.stages import StageRatio, StageUnits

# Only units that are in one arm: the others are left out of the analysis on purpose.
_ACCEPTED = """
SELECT experiment_id, version, variant_key, count(*), count(exposed_at)
FROM assignments WHERE experiment_id = ANY(%(experiments)s)
GROUP BY experiment_id, version, variant_key
"""
_INGESTED = """
SELECT experiment_id, version, variant, count()
FROM (
    SELECT experiment_id, unit_type, user_id, any(version) AS version, any(variant_key) AS variant
    FROM assignments FINAL
    WHERE experiment_id IN {experiments:Array(UInt32)}
    GROUP BY experiment_id, unit_type, user_id
    HAVING uniqExact(variant_key) = 1
) AS units
WHERE (experiment_id, unit_type, user_id) IN (
    SELECT experiment_id, unit_type, user_id
    FROM events_processed FINAL
    WHERE event_type = 'exposure' AND experiment_id IN {experiments:Array(UInt32)}
)
GROUP BY experiment_id, version, variant
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
    from orchestration.defs.exposure.stages import Stage, StageUnits

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
