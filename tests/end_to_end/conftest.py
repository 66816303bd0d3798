"""One whole stack for all end-to-end tests, on free ports, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from neonblue.settings import Settings
from neonblue.stack import Stack
from neonblue.stack.catalogue import with_free_ports
from neonblue.stack.supervisor.supervisor_log import write_to_file

ROOT = Path(__file__).parents[2]
READY_SECONDS = 600
COMMAND_SECONDS = 500
SETTLE_SECONDS = 3.0


def settings_in(folder: Path) -> Settings:
    """Settings of a stack in `folder` on free ports."""
    settings = with_free_ports(Settings.load(folder))
    api = settings.api.model_copy(update={"erasure_settle_seconds": SETTLE_SECONDS})
    return settings.model_copy(update={"api": api})


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    # Not pytest's own folder: only its owner may enter that, and PostgreSQL runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="neonblue-end-to-end-"))
    folder.chmod(0o755)
    running = Stack(settings_in(folder))
    write_to_file(folder)  # as `neonblue up` does
    try:
        with running:
            running.wait_ready(timeout=READY_SECONDS)
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def settings(stack: Stack) -> Settings:
    return stack.settings


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[httpx.Client]:
    """The API as its administrator calls it."""
    headers = {"authorization": f"Bearer {settings.api.token.get_secret_value()}"}
    with httpx.Client(base_url=settings.api.address, headers=headers, trust_env=False, timeout=60) as client:
        yield client


class CommandLine:
    """Runs `neonblue …` against the stack, as a user does."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def run(self, *arguments: str, succeeds: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "neonblue.cli.main", *arguments, "--data-dir", str(self._data_dir)],
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("NEONBLUE_")},
            check=False,
        )
        if succeeds:
            assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str, succeeds: bool = True) -> Any:
        return json.loads(self.run(*arguments, "--json", succeeds=succeeds).stdout)


@pytest.fixture(scope="session")
def neonblue(settings: Settings) -> CommandLine:
    return CommandLine(settings.data_dir)
