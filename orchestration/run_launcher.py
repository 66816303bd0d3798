"""Where runs run, and whether they still do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from dagster import DagsterRun
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import (
    CheckRunHealthResult,
    DefaultRunLauncher,
    LaunchRunContext,
    WorkerStatus,
)
from dagster._serdes import deserialize_value

if TYPE_CHECKING:
    from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
    from dagster._grpc.client import DagsterGrpcClient

_PATIENCE_SECONDS = 30


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's default, runs in processes of the code server, with three additions.

    A run is found to be gone. Without it a run whose process ended with its code server stays started for ever, and as
    one build runs at a time, every later build waits for it.

    A run is launched once, and waited for. On a slow machine the launching call runs out while the code server is still
    starting the run's process. Without it that run is failed, and its process, when it comes, does nothing.

    A run is asked about where the code server is now, also one that was launched by another way to it.
    """

    def launch_run(self, context: LaunchRunContext) -> None:
        """Launch the run, unless the code server has it already.

        Raises ``DagsterUserCodeUnreachableError`` where the code server can't be asked, or did not take the run: the
        queue then tries again later.
        """
        run_id = context.dagster_run.run_id
        client = _code_server(context)
        if client is not None and _is_running(client, run_id):
            return
        try:
            super().launch_run(context)
        except DagsterUserCodeUnreachableError:
            if client is None or not _is_running(client, run_id):
                raise
            self._instance.report_engine_event(
                "The call ran out before the run's process answered. The code server is still starting it.",
                context.dagster_run,
            )

    def _get_grpc_client_for_termination(self, run_id: str) -> DagsterGrpcClient | None:
        """The code server that has the run, where the workspace says now: a stack may have moved since the launch."""
        client: DagsterGrpcClient | None = super()._get_grpc_client_for_termination(run_id)  # type: ignore[no-untyped-call]
        return client and (_named_in(Path(self._instance.root_directory) / "workspace.yaml") or client)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the code server knows the run as one of its processes. While it can't be asked, the run is left."""
        client = self._get_grpc_client_for_termination(run.run_id)
        if client is None:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "no code server is known of the run")
        try:
            known = _is_running(client, run.run_id)
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the code server can't be asked")
        if known:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "its process ended with its code server")


def _named_in(workspace: Path) -> DagsterGrpcClient | None:
    """The one code server of a workspace; None where the file is not there, or names none or several."""
    from dagster._grpc.client import DagsterGrpcClient
    from dagster_shared.yaml_utils import safe_load_yaml

    try:
        locations = safe_load_yaml(workspace.read_text(encoding="utf-8"))["load_from"]
        (server,) = [location["grpc_server"] for location in locations]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return DagsterGrpcClient(
        port=server.get("port"), socket=server.get("socket"), host=server.get("host", "localhost")
    )


def _code_server(context: LaunchRunContext) -> DagsterGrpcClient | None:
    """The code server that is to run it; None where the run does not say."""
    origin = context.dagster_run.remote_job_origin
    if origin is None or context.workspace is None:
        return None
    name = origin.repository_origin.code_location_origin.location_name
    location = context.workspace.get_code_location(name)
    return cast("GrpcServerCodeLocation", location).client


def _is_running(client: DagsterGrpcClient, run_id: str) -> bool:
    from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult

    answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id), timeout=_PATIENCE_SECONDS)
    return deserialize_value(answer, CanCancelExecutionResult).can_cancel
