"""All that Dagster loads: `dagster dev -m orchestration.definitions`."""

from __future__ import annotations

import os

from dagster import Definitions, in_process_executor
from dagster_dbt import DbtCliResource

from neonblue.settings import Settings
from orchestration.defs.reconciliation.checks import accepted_events_are_present, no_dead_letters
from orchestration.defs.schedules import daily, everything
from orchestration.defs.significance.assets import significance_tests
from orchestration.defs.significance.checks import sample_ratio_holds
from orchestration.defs.sources.assets import source_specs
from orchestration.defs.warehouse.assets import dbt_model_assets
from orchestration.project import dbt_environment, dbt_executable, prepare_manifest, project_path
from orchestration.resources import ClickHouse, Postgres


def build(settings: Settings) -> Definitions:
    """The definitions for one stack. dbt's process inherits the variables that its profile reads."""
    os.environ.update(dbt_environment(settings))
    return Definitions(
        assets=[*source_specs(), dbt_model_assets(prepare_manifest(settings)), significance_tests],
        asset_checks=[accepted_events_are_present, no_dead_letters, sample_ratio_holds],
        jobs=[everything],
        schedules=[daily],
        executor=in_process_executor,
        resources={
            "clickhouse": ClickHouse(),
            "postgres": Postgres(),
            "dbt": DbtCliResource(
                project_dir=str(project_path()),
                profiles_dir=str(project_path()),
                dbt_executable=dbt_executable(),
            ),
        },
    )


defs = build(Settings.load())
