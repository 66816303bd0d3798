"""A run whose process is gone does not hold up those that wait for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from tests.integration.orchestration.browser import until
from tests.integration.warehouse import free_port

_INSTANCE = """\
run_coordinator:
  module: dagster.core.run_coordinator
  class: DefaultRunCoordinator
run_launcher:
  module: orchestration.run_launcher
  class: WatchedRunLauncher
run_monitoring:
  enabled: true
  poll_interval_seconds: 1
telemetry:
  enabled: false
"""
_WORKSPACE = """\
load_from:
  - grpc_server:
      host: 127.0.0.1
      port: {port}
      location_name: endless
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "dagster.yaml").write_text(_INSTANCE)
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "DAGSTER_HOME": str(home)}


@contextmanager
def dagster(home: Path, *arguments: str) -> Iterator[None]:
    """A process of Dagster's, ended with all that it started, as the stack ends it."""
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=environment(home),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def code_server(home: Path, port: int) -> Iterator[None]:
    module = "tests.integration.orchestration.endless"
    with dagster(home, "dagster", "api", "grpc", "-m", module, "-h", "127.0.0.1", "-p", str(port)):
        until(lambda: _listens(port), "the code server listens")
        yield


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.timeout(300)
def test_a_run_that_ended_with_its_code_server_fails_and_no_other_does(home: Path) -> None:
    port = free_port()
    workspace = str(home / "workspace.yaml")
    Path(workspace).write_text(_WORKSPACE.format(port=port))
    with DagsterInstance.from_config(str(home)) as instance:

        def launched() -> str:
            """A new run of `endless` that has started."""
            known = set(instance.get_run_ids())
            command = [sys.executable, "-m", "dagster", "job", "launch", "-w", workspace, "-j", "endless"]
            subprocess.run(command, env=environment(home), check=True, capture_output=True, timeout=120)
            (run_id,) = set(instance.get_run_ids()) - known
            until(lambda: status(run_id) is DagsterRunStatus.STARTED, "the run has started")
            return run_id

        def status(run_id: str) -> DagsterRunStatus:
            run = instance.get_run_by_id(run_id)
            assert run is not None
            return run.status

        with code_server(home, port):
            lost = launched()
        with code_server(home, port):
            kept = launched()
            with dagster(home, "dagster._daemon", "run", "-w", workspace):
                until(lambda: status(lost) is DagsterRunStatus.FAILURE, "the lost run is failed")
            assert status(kept) is DagsterRunStatus.STARTED
