"""A run whose process is gone does not hold up those that wait for it, and one whose process is late is not lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import yaml
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus

from neonblue.stack.services.dagster import INSTANCE
from tests.integration.orchestration.browser import until
from tests.integration.warehouse import free_port

_WORKSPACE = """\
load_from:
  - grpc_server:
      host: 127.0.0.1
      port: {port}
      location_name: endless
"""


# Holds the process of a run, before it has imported anything, as long as the file is there: a machine that is slow.
_SLOW = """\
import os, sys, time
while "--multiprocessing-fork" in sys.orig_argv and os.path.exists(os.environ["GATE"]):
    time.sleep(0.05)
"""
_CALL_SECONDS = "3"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Dagster as the stack has it, but with storage of its own, and impatient."""
    configuration = yaml.safe_load(INSTANCE)
    del configuration["storage"]
    configuration["run_monitoring"]["poll_interval_seconds"] = 1
    configuration["run_coordinator"]["config"]["user_code_failure_retry_delay"] = 1
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(configuration))
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "DAGSTER_HOME": str(home)}


@contextmanager
def dagster(home: Path, *arguments: str, **variables: str) -> Iterator[None]:
    """A process of Dagster's, ended with all that it started, as the stack ends it."""
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=environment(home) | variables,
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
def code_server(home: Path, port: int, **variables: str) -> Iterator[None]:
    module = "tests.integration.orchestration.endless"
    arguments = ("dagster", "api", "grpc", "-m", module, "-h", "127.0.0.1", "-p", str(port))
    with dagster(home, *arguments, **variables):
        until(lambda: _listens(port), "the code server listens")
        yield


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Launching:
    """A workspace of one code server, and what becomes of its runs."""

    def __init__(self, home: Path, instance: DagsterInstance) -> None:
        self.home = home
        self.port = free_port()
        self.instance = instance
        self.workspace = str(home / "workspace.yaml")
        Path(self.workspace).write_text(_WORKSPACE.format(port=self.port))

    def move(self) -> None:
        """Have the code server on another port from now on."""
        self.port = free_port()
        Path(self.workspace).write_text(_WORKSPACE.format(port=self.port))

    def queue(self) -> str:
        """A new run of `endless`."""
        known = set(self.instance.get_run_ids())
        command = [sys.executable, "-m", "dagster", "job", "launch", "-w", self.workspace, "-j", "endless"]
        subprocess.run(command, env=environment(self.home), check=True, capture_output=True, timeout=120)
        (run_id,) = set(self.instance.get_run_ids()) - known
        return run_id

    def daemon(self, **variables: str) -> AbstractContextManager[None]:
        return dagster(self.home, "dagster._daemon", "run", "-w", self.workspace, **variables)

    def status(self, run_id: str) -> DagsterRunStatus:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def wait(self, run_id: str, status: DagsterRunStatus) -> None:
        until(lambda: self.status(run_id) is status, f"the run is {status.value}")

    def events(self, run_id: str, *kinds: DagsterEventType) -> list[str]:
        """What the run's log says, of these kinds."""
        return [entry.message for entry in self.instance.all_logs(run_id, of_type=set(kinds))]


@pytest.fixture
def launching(home: Path) -> Iterator[Launching]:
    with DagsterInstance.from_config(str(home)) as instance:
        yield Launching(home, instance)


@pytest.mark.timeout(300)
def test_a_run_that_ended_with_its_code_server_fails_and_no_other_does(launching: Launching) -> None:
    with code_server(launching.home, launching.port), launching.daemon():
        lost = launching.queue()
        launching.wait(lost, DagsterRunStatus.STARTED)
    with code_server(launching.home, launching.port):
        kept = launching.queue()
        with launching.daemon():
            launching.wait(lost, DagsterRunStatus.FAILURE)
            launching.wait(kept, DagsterRunStatus.STARTED)
            assert launching.status(kept) is DagsterRunStatus.STARTED


@pytest.mark.timeout(300)
def test_a_run_is_asked_about_where_the_code_server_is_now(launching: Launching) -> None:
    with code_server(launching.home, launching.port), launching.daemon():
        lost = launching.queue()
        launching.wait(lost, DagsterRunStatus.STARTED)
    launching.move()
    with code_server(launching.home, launching.port), launching.daemon():
        launching.wait(lost, DagsterRunStatus.FAILURE)


@pytest.mark.timeout(300)
def test_a_run_whose_process_comes_after_the_launching_call_ran_out_runs_once(launching: Launching) -> None:
    gate = launching.home / "gate"
    gate.touch()
    (launching.home / "sitecustomize.py").write_text(_SLOW)
    slow = {"GATE": str(gate), "PYTHONPATH": f"{launching.home}{os.pathsep}{Path.cwd()}"}
    with (
        code_server(launching.home, launching.port, **slow),
        launching.daemon(DAGSTER_GRPC_TIMEOUT_SECONDS=_CALL_SECONDS),
    ):
        run_id = launching.queue()
        until(
            lambda: [
                said
                for said in launching.events(run_id, DagsterEventType.ENGINE_EVENT)
                if "still starting" in said
            ],
            "the call has run out",
        )
        assert launching.status(run_id) is DagsterRunStatus.STARTING

        gate.unlink()

        launching.wait(run_id, DagsterRunStatus.STARTED)
        assert len(launching.events(run_id, DagsterEventType.RUN_START)) == 1
        assert launching.events(run_id, DagsterEventType.RUN_FAILURE) == []
        assert launching.instance.get_runs_count() == 1


@pytest.mark.timeout(300)
def test_a_queued_run_waits_for_a_code_server_that_can_not_be_reached(launching: Launching) -> None:
    with code_server(launching.home, launching.port):
        run_id = launching.queue()
    with launching.daemon():
        until(lambda: len(launching.events(run_id, DagsterEventType.RUN_ENQUEUED)) > 2, "it was queued again")
        with code_server(launching.home, launching.port):
            launching.wait(run_id, DagsterRunStatus.STARTED)
    assert launching.events(run_id, DagsterEventType.RUN_FAILURE) == []
