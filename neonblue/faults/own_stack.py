"""The stack that a fault run breaks: in a folder of its own, on free ports, under a supervisor that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from neonblue.settings import ENVIRONMENT_FILE, Settings
from neonblue.stack import catalogue, env_file, folders
from neonblue.stack.processes.process import Identity, alive, kill, members
from neonblue.stack.supervisor import folder_lock, logs, record
from neonblue.stack.supervisor.board import State, Status

DOWN_SECONDS = 120.0
"""As long as ``neonblue down`` waits."""
ERASURE_SETTLE_SECONDS = 3.0
_POLL_SECONDS = 0.1
_PREFIX, _KEPT = "NEONBLUE_", "NEONBLUE_CACHE_DIR"


class LateError(Exception):
    """The stack did not become ready in time; the message says what was late."""


class OwnStack:
    """Starts, kills and stops the stack. Its calls may come from several threads, one at a time each."""

    def __init__(self, folder: Path, services: Sequence[str], more: dict[str, str] | None = None) -> None:
        """`more`: environment for the supervisor and what inherits it."""
        self.folder = folder
        self.services = tuple(services)
        self.settings = Settings()
        self._more = dict(more or {})
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._turn = threading.RLock()
        self._ended = False

    def prepare(self, alerts: str) -> None:
        """Write the settings: free ports, generated secrets, and where alerts go. Raises StackError."""
        folders.require(self.folder)
        with without_settings():
            settings = Settings.load(self.folder)
        settings = env_file.with_secrets(catalogue.with_free_ports(settings))
        path = env_file.write(settings)
        with path.open("a") as file:
            file.write(f"NEONBLUE_ALERT_URLS='{json.dumps([alerts])}'\n")
            file.write(f"NEONBLUE_API_ERASURE_SETTLE_SECONDS='{ERASURE_SETTLE_SECONDS:g}'\n")
        with without_settings():
            self.settings = Settings.load(self.folder)

    def up(self) -> None:
        """Start the supervisor, unless `end` was called. Does not wait."""
        if self._ended:
            return
        with self._turn, logs.path(self.folder, "up").open("ab") as output:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "neonblue.faults.supervisor", str(self.folder), *self.services],
                env=clean_environment() | self._more,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_ready(self, seconds: float, stop: threading.Event) -> None:
        """Block until every node is ready. Raises LateError, also when `stop` is set."""
        deadline = time.monotonic() + seconds
        while not self.ready():
            if time.monotonic() > deadline or stop.is_set():
                late = [f"{one.name} {one.state} {one.detail}".strip() for one in self._late()]
                raise LateError(f"after {seconds:.0f} s: {'; '.join(late) or 'no process supervises it'}")
            if self._supervisor is not None and self._supervisor.poll() is not None:
                raise LateError(f"the supervisor has ended: see {logs.path(self.folder, 'up')}")
            stop.wait(0.3)

    def ready(self) -> bool:
        """Whether the supervisor runs, every node is ready by its record, and every process that it names lives."""
        statuses = self.statuses()
        return self.supervised and bool(statuses) and not self._late()

    def _late(self) -> list[Status]:
        return [
            one
            for one in self.statuses()
            if one.state != State.READY or (one.identity is not None and not alive(one.identity))
        ]

    @property
    def supervised(self) -> bool:
        """Whether a supervisor runs here."""
        return self._supervisor is not None and self._supervisor.poll() is None

    def statuses(self) -> tuple[Status, ...]:
        """The record that ``neonblue status`` shows."""
        return record.read(self.folder)

    def identity(self, service: str) -> Identity | None:
        """The main process of a service; None while none runs."""
        found = next((one.identity for one in self.statuses() if one.name == service), None)
        return found if found is not None and alive(found) else None

    def kill_all(self) -> None:
        """SIGKILL of the supervisor and everything it started, as a power cut does."""
        with self._turn:
            identities = [one.identity for one in self.statuses() if one.identity is not None]
            processes = [process for identity in identities for process in members(identity)]
            if self._supervisor is not None:
                self._supervisor.kill()
            kill(processes)
            if self._supervisor is not None:
                self._supervisor.wait()
                self._supervisor = None

    def down(self) -> float | None:
        """Stop as ``neonblue down`` does; seconds that it took, or None where it did not end and had to be killed."""
        with self._turn:
            began = time.monotonic()
            if self._supervisor is None:
                return 0.0
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._supervisor.pid, signal.SIGTERM)
            try:
                self._supervisor.wait(DOWN_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill_all()
                return None
            self._supervisor = None
            return time.monotonic() - began

    def end(self) -> None:
        """Leave no process, however it went, and start none any more."""
        self._ended = True
        if self._supervisor is not None and self.down() is None:
            return
        if folder_lock.holder(self.folder) is None:
            record.end_strays(self.folder)

    def command(self, *arguments: str, seconds: float = 600.0) -> subprocess.CompletedProcess[str]:
        """Run ``neonblue …`` against it, as a user does. Raises subprocess.TimeoutExpired."""
        return subprocess.run(
            self.arguments(*arguments),
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def arguments(self, *arguments: str) -> list[str]:
        """The command line of ``neonblue …`` against it; the options of a command that passes on come first."""
        name, *rest = arguments
        return [sys.executable, "-m", "neonblue.cli.main", name, "--data-dir", str(self.folder), *rest]

    def client(self, seconds: float = 3.0) -> httpx.Client:
        """The API as its administrator calls it, past the proxy."""
        token = self.settings.api.token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(
            base_url=self.settings.api.address, headers=headers, timeout=seconds, trust_env=False
        )


def clean_environment() -> dict[str, str]:
    """This environment without the settings of any other stack."""
    return {name: value for name, value in os.environ.items() if not _is_setting(name)}


@contextlib.contextmanager
def without_settings() -> Iterator[None]:
    """Meanwhile this process's environment has no settings of any other stack."""
    taken = {name: os.environ.pop(name) for name in list(os.environ) if _is_setting(name)}
    try:
        yield
    finally:
        os.environ.update(taken)


def _is_setting(name: str) -> bool:
    return name.upper().startswith(_PREFIX) and name.upper() != _KEPT


def holds_a_stack(folder: Path) -> bool:
    """Whether there is anything in a folder that a fault run must not touch."""
    return folder.exists() and (
        not folder.is_dir() or any(folder.iterdir()) or (folder / ENVIRONMENT_FILE).exists()
    )
