"""The dbt models as assets; their tests are asset checks.

A scheduled run lets dbt find the days that late rows have touched; a run for chosen partitions rebuilds exactly those.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetMaterialization,
    AssetsDefinition,
    BackfillPolicy,
    RetryPolicy,
    get_dagster_logger,
)
from dagster_dbt import DbtCliResource, dbt_assets

from orchestration.defs.warehouse.lineage import WithoutTrace
from orchestration.defs.warehouse.repository import read_builds
from orchestration.defs.warehouse.translator import ModelTranslator
from orchestration.partitions import days
from orchestration.resources import ClickHouse

_RETRY = RetryPolicy(max_retries=2, delay=15)

get_dagster_logger().addFilter(WithoutTrace())

REBUILD_TAG = "neonblue/rebuild"
"""On a run: which days it builds. Without it, its partitions."""


class Rebuild(StrEnum):
    """Which days a run builds."""

    TOUCHED = "touched"  # those that rows have touched since they were last built
    SELECTED = "selected"  # the run's partitions


def dbt_model_assets(manifest: Path) -> AssetsDefinition:
    """Every model of the manifest, built by one `dbt build`, which also runs the tests.

    All are partitioned by day, also those that dbt builds whole: a run of models partitioned in different ways would be
    cut into one dbt process for each change from one to the other, and a test of two of them would come too early.
    """

    @dbt_assets(
        manifest=manifest,
        name="dbt_models",
        partitions_def=days,
        backfill_policy=BackfillPolicy.single_run(),
        dagster_dbt_translator=ModelTranslator(),
        retry_policy=_RETRY,
        pool="dbt",
    )
    def dbt_models(
        context: AssetExecutionContext, dbt: DbtCliResource, clickhouse: ClickHouse
    ) -> Iterator[Any]:
        started = datetime.now(UTC)
        rebuild = Rebuild(context.run.tags.get(REBUILD_TAG, Rebuild.SELECTED))
        arguments = build_arguments(rebuild, context.partition_keys)
        yield from dbt.cli(arguments, context=context).stream().fetch_row_counts().fetch_column_metadata()
        _log_other_days(context, clickhouse, started)

    return dbt_models


def build_arguments(rebuild: Rebuild, partitions: Sequence[str]) -> list[str]:
    """dbt's arguments: with the days to build, or without, so that it finds the touched ones itself.

    Unit tests are of the code, not of the data: they run where the code is tested.
    """
    build = ["build", "--exclude-resource-type", "unit_test"]
    if rebuild is Rebuild.TOUCHED:
        return build
    return [*build, "--vars", json.dumps({"days": list(partitions)})]


def _log_other_days(context: AssetExecutionContext, clickhouse: ClickHouse, started: datetime) -> None:
    """Record the days that were rebuilt beyond the run's own partitions."""
    own = set(context.partition_keys)
    with clickhouse.client() as client:
        builds = read_builds(client, started)
    for key in context.selected_asset_keys:
        for day in sorted(builds.get(key.path[-1], set()) - own):
            context.log_event(AssetMaterialization(asset_key=key, partition=day))
