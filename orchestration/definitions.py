"""All that Dagster loads: `dagster dev -m orchestration.definitions`."""

from __future__ import annotations

import os

from dagster import Definitions
from dagster_dbt import DbtCliResource

from neonblue.settings import Settings
from orchestration import jobs, own_models
from orchestration.alerts.delivery import Alerts
from orchestration.defs.alerts.sensors import failed_checks, failed_runs
from orchestration.defs.calibration.assets import randomization_rates
from orchestration.defs.calibration.checks import error_rates_hold
from orchestration.defs.calibration.schedules import weekly_calibration
from orchestration.defs.experiments.assets import experiment_decision, experiment_report
from orchestration.defs.experiments.overview import weekly_overview
from orchestration.defs.experiments.schedules import daily_reports, hourly_decisions, weekly
from orchestration.defs.experiments.sensors import (
    concluded_experiments,
    scheduled_experiments,
    started_experiments,
)
from orchestration.defs.exposure.assets import sample_ratio_stages
from orchestration.defs.exposure.checks import stages_keep_the_ratio
from orchestration.defs.guardrails.sensors import guardrails
from orchestration.defs.maintenance.assets import (
    analysis_storage,
    audit_retention,
    dagster_history,
    erasure_verification,
    event_partitions,
    outbox_partitions,
    report_retention,
)
from orchestration.defs.maintenance.checks import (
    analysis_retention_is_as_set,
    erasures_are_on_time,
    event_retention_is_as_set,
    events_can_be_written,
    outbox_can_be_written,
)
from orchestration.defs.maintenance.schedules import daily
from orchestration.defs.own_models.assets import own_model_assets
from orchestration.defs.own_models.sensors import after_everything
from orchestration.defs.pipeline.checks import (
    consumer_keeps_up,
    marts_are_fresh,
    newest_event_has_arrived,
    yesterday_is_there,
)
from orchestration.defs.ramps.sensors import ramps
from orchestration.defs.reconciliation.checks import (
    accepted_events_are_present,
    no_dead_letters,
    nothing_set_aside,
)
from orchestration.defs.significance.assets import significance_tests
from orchestration.defs.significance.checks import recomputed_from_raw_events, sample_ratio_holds
from orchestration.defs.sources.assets import source_specs
from orchestration.defs.warehouse.assets import dbt_model_assets
from orchestration.defs.warehouse.schedules import hourly
from orchestration.logs import calm_logs
from orchestration.project import (
    dbt_environment,
    dbt_executable,
    prepare_manifest,
    profiles_path,
    project_path,
)
from orchestration.resources import Api, ClickHouse, Postgres
from orchestration.run_executor import known_run_executor


def build(settings: Settings) -> Definitions:
    """The definitions for one stack. dbt's process inherits the variables that its profile reads."""
    calm_logs()
    os.environ.update(dbt_environment(settings))
    return Definitions.merge(_neonblue(settings), _own_models(settings))


def _own_models(settings: Settings) -> Definitions:
    """A data team's own models, with a job and a dbt of their own; nothing where there are none."""
    manifest = own_models.loaded(settings)
    if manifest is None or settings.models.project is None:
        return Definitions()
    assets = own_model_assets(manifest, own_models.name_of(settings.models.project))
    job = jobs.own_models(assets)
    return Definitions(
        assets=[assets],
        jobs=[job],
        sensors=[after_everything(job)],
        resources={
            "own_dbt": DbtCliResource(
                project_dir=str(settings.models.project),
                profiles_dir=str(profiles_path()),
                dbt_executable=dbt_executable(),
            )
        },
    )


def _neonblue(settings: Settings) -> Definitions:
    return Definitions(
        assets=[
            *source_specs(),
            dbt_model_assets(prepare_manifest(settings)),
            significance_tests,
            sample_ratio_stages,
            experiment_decision,
            experiment_report,
            weekly_overview,
            randomization_rates,
            event_partitions,
            outbox_partitions,
            analysis_storage,
            audit_retention,
            dagster_history,
            report_retention,
            erasure_verification,
        ],
        asset_checks=[
            accepted_events_are_present,
            no_dead_letters,
            nothing_set_aside,
            consumer_keeps_up,
            newest_event_has_arrived,
            yesterday_is_there,
            *marts_are_fresh,
            recomputed_from_raw_events,
            sample_ratio_holds,
            stages_keep_the_ratio,
            error_rates_hold,
            events_can_be_written,
            outbox_can_be_written,
            erasures_are_on_time,
            event_retention_is_as_set,
            analysis_retention_is_as_set,
        ],
        jobs=[
            jobs.everything,
            jobs.decisions,
            jobs.reports,
            jobs.weekly_report,
            jobs.calibration,
            jobs.maintenance,
        ],
        schedules=[hourly, hourly_decisions, daily_reports, weekly, weekly_calibration, daily],
        sensors=[
            started_experiments,
            scheduled_experiments,
            concluded_experiments,
            guardrails,
            ramps,
            failed_checks,
            failed_runs,
        ],
        executor=known_run_executor,
        resources={
            "clickhouse": ClickHouse(),
            "postgres": Postgres(),
            "api": Api(),
            "alerts": Alerts(),
            "dbt": DbtCliResource(
                project_dir=str(project_path()),
                profiles_dir=str(profiles_path()),
                dbt_executable=dbt_executable(),
            ),
        },
    )


defs = build(Settings.load())
