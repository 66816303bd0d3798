"""Dagster's code server runs jobs for whoever reaches it: on a socket that only the stack's own user opens."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from neonblue.settings import Settings
from neonblue.stack.processes import sockets
from neonblue.stack.services.dagster import DagsterCode, environment, home
from tests.integration.stack.conftest import settings_in, supervise
from tests.waiting import until

pytestmark = pytest.mark.timeout(900)
_ASKING = """
import os, sys
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
with DagsterInstance.get() as instance, WorkspaceProcessContext(instance, WorkspaceFileTarget(sys.argv[1:])) as context:
    print(*context.create_request_context().code_location_names, *(
        entry.load_error is None for entry in context.create_request_context().get_code_location_entries().values()))
"""


@pytest.fixture(params=["short", "a b" + "/long" * 60], ids=["short", "long"])
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    folder = Path(tempfile.mkdtemp(prefix="neonblue code "))
    folder.chmod(0o755)
    data = folder / request.param
    data.mkdir(parents=True)
    try:
        yield settings_in(data)
    finally:
        place = home(Settings.load(data)) / "code-server"
        if place.is_symlink():
            shutil.rmtree(place.readlink(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def servers() -> list[psutil.Process]:
    """The code servers of this machine."""
    return [
        one for one in psutil.process_iter() if {"orchestration.code_server", "--socket"} <= set(_line(one))
    ]


def _line(process: psutil.Process) -> list[str]:
    try:
        line: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return line


def test_the_code_server_is_reached_by_its_socket_alone_also_after_it_was_killed(settings: Settings) -> None:
    process = supervise(settings, "postgres", "dagster-code")
    try:
        path = sockets.path(home(settings), "code-server")
        (server,) = [one for one in servers() if str(path) in one.cmdline()]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert [one for one in server.net_connections("tcp") if one.status == psutil.CONN_LISTEN] == []
        assert _asked(settings) == "neonblue True"

        server.send_signal(signal.SIGKILL)

        until(lambda: not server.is_running(), "it is gone")
        assert path.is_socket()
        until(lambda: [one for one in servers() if str(path) in _line(one)], "it is started again")
        until(lambda: _asked(settings) == "neonblue True", "it serves again", 240)
    finally:
        process.terminate()
        process.wait(60)


def _asked(settings: Settings) -> str:
    """What a process elsewhere on the machine, of the stack's user, gets to know from it."""
    asked = subprocess.run(
        [sys.executable, "-c", _ASKING, str(home(settings) / "workspace.yaml")],
        env={**os.environ, **environment(settings, DagsterCode)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or asked.stderr[-2000:]
