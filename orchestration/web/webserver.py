"""Dagster's web application, which is read-only for whoever may only look: a second wall, and grey buttons."""

from __future__ import annotations

from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from orchestration.web.callers import Caller
from orchestration.web.gate import CALLER

_STATEMENT_MILLISECONDS = 15_000
_RECYCLE_SECONDS = 3_600
_MORE_CONNECTIONS = 20
_POLL_MILLISECONDS = 2_000


class Workspace(WorkspaceProcessContext):
    """The code locations, seen with the rights of the caller that the gate found."""

    def create_request_context(self, source: object | None = None) -> WorkspaceRequestContext:
        caller = source.scope.get(CALLER) if isinstance(source, HTTPConnection) else None
        return WorkspaceRequestContext(
            instance=self.instance,
            current_workspace=self.get_current_workspace(),
            process_context=self,
            version=self.version,
            source=source,
            read_only=not (isinstance(caller, Caller) and caller.changes),
        )


def open_workspace(instance: DagsterInstance, file: str) -> Workspace:
    """The workspace that `file` describes; a context manager."""
    instance.optimize_for_webserver(_STATEMENT_MILLISECONDS, _RECYCLE_SECONDS, _MORE_CONNECTIONS)
    return Workspace(instance, WorkspaceFileTarget(paths=[file]), version=__version__)


def application(workspace: Workspace) -> ASGIApp:
    """What `dagster-webserver` serves."""
    app: ASGIApp = create_app_from_workspace_process_context(
        workspace, live_data_poll_rate=_POLL_MILLISECONDS
    )
    return app
