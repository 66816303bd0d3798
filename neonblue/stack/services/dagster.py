"""Dagster: one code server, which the web page and the daemon share."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar

from neonblue.settings import Role, Settings
from neonblue.stack.errors import ServiceError
from neonblue.stack.processes import sockets
from neonblue.stack.processes.command import Command
from neonblue.stack.services.environment import process_environment
from neonblue.stack.services.secret_use import API, CLICKHOUSE, POSTGRES
from neonblue.stack.supervisor import probe
from neonblue.stack.supervisor.nodes import Package, Service

_CODE_SERVER = "code-server"
"""Its socket's folder, in Dagster's home. Whoever reaches it runs jobs: it is for the stack's own user alone."""
_NICE = 10
"""Analysis yields to ingestion."""
_CALL_SECONDS = 300
_GRACE_SECONDS = 60

# By HTTP/2, which gRPC speaks: the preface, and settings without any.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])

_LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
  __typename ... on PythonError { message }
} } } } }
"""

_DAEMONS = """
{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy lastHeartbeatTime } } } }
"""
_HEARTBEAT_SECONDS = 180.0
"""Every daemon beats each half minute. When the last beat of all is so old, the process is silent."""

INSTANCE = """\
# Written at every start.
storage:
  custom:
    module: orchestration.storage
    class: PooledStorage
    config:
      postgres_url:
        env: DAGSTER_POSTGRES_URL
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    # A run waits for a code server that can't be reached, for days: it is never dropped from the queue.
    max_user_code_failure_retries: 20000
    user_code_failure_retry_delay: 15
run_launcher:
  module: orchestration.run_launcher
  class: WatchedRunLauncher
concurrency:
  runs:
    max_concurrent_runs: 2
  pools:
    # Two builds at once would replace the same days.
    default_limit: 1
    granularity: run
run_retries:
  enabled: true
  max_retries: 3
  retry_on_asset_or_op_failure: false
run_monitoring:
  enabled: true
  # From its launch until its process has loaded the definitions. A process that dies is noticed without it.
  start_timeout_seconds: 1200
  poll_interval_seconds: 30
retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days:
      skipped: 2
      failure: 30
      success: 30
telemetry:
  enabled: false
nux:
  enabled: false
"""
_WORKSPACE = """\
load_from:
  - grpc_server:
      socket: {socket}
      location_name: neonblue
"""


class _Dagster(Service):
    """What the three processes have in common. They leave the processors to the API until it takes events."""

    component = "dagster"
    folders = ("dagster", "dbt", "reports")
    optional = ("api",)
    start_seconds = 180.0
    watch_seconds = 15.0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home = home(settings)

    def prepare(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        (self._home / "dagster.yaml").write_text(INSTANCE, encoding="utf-8")
        self._home.chmod(0o700)
        workspace = _WORKSPACE.format(socket=json.dumps(str(sockets.path(self._home, _CODE_SERVER))))
        (self._home / "workspace.yaml").write_text(workspace, encoding="utf-8")

    def _command(self, *arguments: str) -> Command:
        return Command(
            arguments=(sys.executable, "-m", *arguments),
            environment=environment(self._settings, self),
            folder=self._home,
            nice=_NICE,
        )


def home(settings: Settings) -> Path:
    return settings.data_dir / "dagster"


def storage(settings: Settings) -> str:
    """The address of Dagster's database, with the password of its role."""
    return settings.postgres.acting(Role.DAGSTER).dsn(settings.postgres.dagster_database)


def environment(settings: Settings, service: _Dagster | type[_Dagster]) -> dict[str, str]:
    """What `service`, a process that uses this Dagster instance, needs."""
    return process_environment(settings, service) | {
        "DAGSTER_HOME": str(home(settings)),
        # Dagster's storage sends NOTIFY with a parameter, which psycopg 3 (SQLAlchemy's default) can't.
        "DAGSTER_POSTGRES_URL": storage(settings).replace("postgresql://", "postgresql+psycopg2://", 1),
        # Of calls to the code server: on a slow machine it takes minutes to start a run's process.
        "DAGSTER_GRPC_TIMEOUT_SECONDS": str(_CALL_SECONDS),
        "DAGSTER_GRPC_SHUTDOWN_GRACE_PERIOD": str(_GRACE_SECONDS),
    }


def _ask(settings: Settings, query: str) -> dict[str, Any]:
    """A question to the web page's GraphQL."""
    answer = probe.post(
        f"{settings.dagster.address}/graphql", {"query": query}, headers=settings.dagster.authorization
    )
    data: dict[str, Any] = answer.json()["data"]
    return data


class DagsterCode(_Dagster):
    """Loads the definitions once, and runs what is launched."""

    name = "dagster-code"
    place = 70
    secrets_used = (
        POSTGRES
        | CLICKHOUSE
        | API
        | {"dagster_url", "dagster_public_url", "alert_urls", "reports_location"}
        | {"kafka_password", "kafka_dagster_password"}
    )
    postgres_role = Role.ORCHESTRATION
    requires = ("postgres",)

    @classmethod
    def belongs(cls, settings: Settings, watched: Collection[str]) -> bool:  # noqa: ARG003
        return not settings.dagster.external

    @classmethod
    def reached_at(cls, settings: Settings) -> str:  # noqa: ARG003
        return "a Unix socket"

    def command(self) -> Command:
        served = ("--socket", str(self._socket()), "--inject-env-vars-from-instance")
        return self._command("orchestration.code_server", *served)

    def answer(self, seconds: float) -> None:
        probe.speaks_at(self._socket(), _GREETING, seconds)

    def settle(self) -> None:
        self._socket().chmod(0o600)

    def _socket(self) -> Path:
        return sockets.path(self._home, _CODE_SERVER)

    def check(self) -> None:
        self.answer(probe.SECONDS)


class DagsterDaemon(_Dagster):
    """Schedules, sensors, the run queue."""

    name = "dagster-daemon"
    place = 72
    requires = ("postgres",)
    uses = ("dagster-code",)

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._began = 0.0

    @classmethod
    def belongs(cls, settings: Settings, watched: Collection[str]) -> bool:  # noqa: ARG003
        return not settings.dagster.external

    def command(self) -> Command:
        self._began = time.time()
        return self._command("orchestration.daemon", "-w", str(self._home / "workspace.yaml"))

    def answer(self, seconds: float) -> None:  # noqa: ARG002
        """It takes no connections: the page knows its newest heartbeat. A page that is away says nothing of it."""
        try:
            beats = [one["lastHeartbeatTime"] or 0.0 for one in self._health()]
        except Exception:
            return
        if beats and time.time() - max(beats) > _HEARTBEAT_SECONDS:
            raise ServiceError(self.name, f"no heartbeat for {time.time() - max(beats):.0f} s")

    def _health(self) -> list[dict[str, Any]]:
        daemons: list[dict[str, Any]] = _ask(self._settings, _DAEMONS)["instance"]["daemonHealth"][
            "allDaemonStatuses"
        ]
        return daemons

    def check(self) -> None:
        """The page sees heartbeats of every daemon, of this process: those of an earlier one count for half an hour."""
        silent = [
            one["daemonType"]
            for one in self._health()
            if one["required"] and not (one["healthy"] and (one["lastHeartbeatTime"] or 0.0) > self._began)
        ]
        if silent:
            raise ServiceError(self.name, f"no heartbeat of {', '.join(silent)}")


class DagsterWeb(_Dagster):
    """The web page. It starts beside the code server, and finds it when it is there."""

    name = "dagster"
    place = 71
    port_settings = ("port",)
    packages: ClassVar[tuple[Package, ...]] = (
        Package("dagster", "Dagster"),
        Package("dagster_webserver", "Dagster's web page"),
        Package("dbt", "dbt"),
    )
    secrets = ("token", "page_secret")
    secrets_used = frozenset(
        {"dagster_token", "dagster_page_secret", "dagster_url", "dagster_public_url", "api_url"}
    )
    requires = ("postgres",)
    uses = ("dagster-code",)

    def command(self) -> Command:
        return self._command("orchestration.web", str(self._home / "workspace.yaml"))

    def answer(self, seconds: float) -> None:
        probe.responds(f"{self._settings.dagster.address}/livez", seconds)

    def check(self) -> None:
        """The page is served, and has loaded the definitions."""
        entries = _ask(self._settings, _LOCATIONS)["workspaceOrError"].get("locationEntries", [])
        states = [entry["locationOrLoadError"] or {} for entry in entries]
        if not states or any(state.get("__typename") != "RepositoryLocation" for state in states):
            reasons = [str(state["message"]).splitlines()[0] for state in states if "message" in state]
            raise ServiceError(self.name, "; ".join(["the definitions are not loaded", *reasons]))
