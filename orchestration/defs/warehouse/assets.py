"""The dbt models as assets; their tests are asset checks.

Models that are built by UTC day are partitioned; the others are not. A scheduled run lets dbt find the days that late
rows have touched; a run for chosen partitions rebuilds exactly those.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
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
)
from dagster_dbt import DbtCliResource, dbt_assets

from orchestration.defs.warehouse.repository import read_builds
from orchestration.defs.warehouse.translator import ModelTranslator
from orchestration.partitions import days
from orchestration.resources import ClickHouse

_BY_DAY = "daily_partitions"
_SELECTOR = f"config.materialized:{_BY_DAY}"
_RETRY = RetryPolicy(max_retries=2, delay=15)


REBUILD_TAG = "neonblue/rebuild"
"""On a run: which days it builds. Without it, its partitions."""


class Rebuild(StrEnum):
    """Which days a run builds."""

    TOUCHED = "touched"  # those that rows have touched since they were last built
    SELECTED = "selected"  # the run's partitions


def dbt_model_assets(manifest: Path) -> list[AssetsDefinition]:
    """Every model of the manifest: the unpartitioned ones, and those built by day where there are any."""
    unpartitioned = _unpartitioned(manifest)
    return [unpartitioned, _partitioned(manifest)] if _any_by_day(manifest) else [unpartitioned]


def build_arguments(rebuild: Rebuild, partitions: Sequence[str]) -> list[str]:
    """dbt's arguments: with the days to build, or without, so that it finds the touched ones itself."""
    if rebuild is Rebuild.TOUCHED:
        return ["build"]
    return ["build", "--vars", json.dumps({"days": list(partitions)})]


def _unpartitioned(manifest: Path) -> AssetsDefinition:
    @dbt_assets(
        manifest=manifest,
        name="dbt_models",
        exclude=_SELECTOR,
        dagster_dbt_translator=ModelTranslator(),
        retry_policy=_RETRY,
        pool="dbt",
    )
    def dbt_models(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
        yield from (
            dbt.cli(build_arguments(Rebuild.TOUCHED, []), context=context)
            .stream()
            .fetch_row_counts()
            .fetch_column_metadata()
        )

    return dbt_models


def _partitioned(manifest: Path) -> AssetsDefinition:
    @dbt_assets(
        manifest=manifest,
        name="dbt_daily_models",
        select=_SELECTOR,
        partitions_def=days,
        backfill_policy=BackfillPolicy.single_run(),
        dagster_dbt_translator=ModelTranslator(),
        retry_policy=_RETRY,
        pool="dbt",
    )
    def dbt_daily_models(
        context: AssetExecutionContext, dbt: DbtCliResource, clickhouse: ClickHouse
    ) -> Iterator[Any]:
        started = datetime.now(UTC)
        rebuild = Rebuild(context.run.tags.get(REBUILD_TAG, Rebuild.SELECTED))
        arguments = build_arguments(rebuild, context.partition_keys)
        yield from _build(context, dbt, arguments)
        _log_other_days(context, clickhouse, started)

    return dbt_daily_models


def _build(context: AssetExecutionContext, dbt: DbtCliResource, arguments: Sequence[str]) -> Iterator[Any]:
    """dbt's events, each model with its number of rows, its columns and where they come from."""
    yield from dbt.cli(arguments, context=context).stream().fetch_row_counts().fetch_column_metadata()


def _log_other_days(context: AssetExecutionContext, clickhouse: ClickHouse, started: datetime) -> None:
    """Record the days that were rebuilt beyond the run's own partitions."""
    own = set(context.partition_keys)
    with clickhouse.client() as client:
        builds = read_builds(client, started)
    for key in context.selected_asset_keys:
        for day in sorted(builds.get(key.path[-1], set()) - own):
            context.log_event(AssetMaterialization(asset_key=key, partition=day))


def _any_by_day(manifest: Path) -> bool:
    nodes: Mapping[str, Mapping[str, Any]] = json.loads(manifest.read_text())["nodes"]
    return any(node["config"].get("materialized") == _BY_DAY for node in nodes.values())
