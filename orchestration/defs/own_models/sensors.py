"""When the own models are built."""

from __future__ import annotations

from dagster import (
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRequest,
    RunStatusSensorContext,
    RunStatusSensorDefinition,
    SkipReason,
    run_status_sensor,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration.jobs import everything
from orchestration.queue import waits


def after_everything(own_models: UnresolvedAssetJobDefinition) -> RunStatusSensorDefinition:
    """Builds the own models after each build of NeonBlue's."""

    @run_status_sensor(
        name="own_models_after_everything",
        run_status=DagsterRunStatus.SUCCESS,
        monitored_jobs=[everything],
        request_job=own_models,
        default_status=DefaultSensorStatus.RUNNING,
        description="After each build of NeonBlue's models: builds the team's own.",
    )
    def own_models_after_everything(context: RunStatusSensorContext) -> RunRequest | SkipReason:
        if waits(context.instance, own_models.name, {}):
            return SkipReason("a build of the own models is queued already")
        return RunRequest(run_key=context.dagster_run.run_id)

    return own_models_after_everything
