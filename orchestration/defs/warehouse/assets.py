"""The dbt models as assets; their tests are asset checks.

A scheduled run lets dbt find the days that late rows have touched; so does a run for the open day alone, as "Latest" on
Dagster's page launches it. A run for other partitions rebuilds exactly those.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    BackfillPolicy,
    MetadataValue,
    RetryPolicy,
    get_dagster_logger,
)
from dagster._core.events import EngineEventData
from dagster_dbt import DbtCliInvocation, DbtCliResource, dbt_assets

from neonblue.settings import Settings
from orchestration.building import arguments
from orchestration.defs.warehouse.lineage import WithoutTrace
from orchestration.defs.warehouse.repository import read_builds
from orchestration.defs.warehouse.translator import ModelTranslator
from orchestration.locking import building
from orchestration.outcome import OUTCOME, from_run_results, to_json
from orchestration.partitions import days, today
from orchestration.resources import ClickHouse
from orchestration.run_trace import trace_of_now
from orchestration.tags import DAYS_TAG, REBUILD_TAG, Rebuild

_RETRY = RetryPolicy(max_retries=2, delay=15)
_SCAN = AssetKey("touched_days")

get_dagster_logger().addFilter(WithoutTrace())


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
        open_day = today(started) if _SCAN in context.selected_asset_keys else None
        days_to_build = chosen_days(context.run.tags, context.partition_keys, open_day)
        with building(Settings.load(), lambda holder: context.log.info(f"waits for {holder}")):
            invocation = dbt.cli(arguments(days_to_build), context=context)
            try:
                yield from invocation.stream().fetch_row_counts().fetch_column_metadata()
            finally:
                _log_outcome(context, invocation)
        _log_other_days(context, clickhouse, started)

    return dbt_models


def chosen_days(
    tags: Mapping[str, str], partitions: Sequence[str], open_day: str | None = None
) -> list[str] | None:
    """The days that a run with these tags rebuilds, exactly; None: those that rows have touched.

    `open_day` is today's partition where the run looks for touched days itself, else None. A run for it alone builds
    what the hourly run would: imported days, too, though their partitions lie years back.
    """
    if DAYS_TAG in tags:
        return tags[DAYS_TAG].split(",")
    rebuild = Rebuild(tags.get(REBUILD_TAG, Rebuild.SELECTED))
    if rebuild is Rebuild.TOUCHED or list(partitions) == [open_day]:
        return None
    return list(partitions)


def _log_outcome(context: AssetExecutionContext, invocation: DbtCliInvocation) -> None:
    """Say in the run's log how every model and test ended: who waits for the run reads it there."""
    with suppress(OSError, ValueError):
        results = invocation.get_artifact("run_results.json")
        outcome = from_run_results(results)
        data = EngineEventData({OUTCOME: MetadataValue.json(json.loads(to_json(outcome)))})
        context.instance.report_engine_event("dbt has finished", context.run, data)
        if (trace := trace_of_now()) is not None:
            with suppress(Exception):  # a trace has no say in a build
                trace.dbt(results)


def _log_other_days(context: AssetExecutionContext, clickhouse: ClickHouse, started: datetime) -> None:
    """Record the days that were rebuilt beyond the run's own partitions."""
    own = set(context.partition_keys)
    with clickhouse.client() as client:
        builds = read_builds(client, started)
    for key in context.selected_asset_keys:
        for day in sorted(builds.get(key.path[-1], set()) - own):
            context.log_event(AssetMaterialization(asset_key=key, partition=day))
