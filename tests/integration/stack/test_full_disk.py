"""A whole stack on a disk that fills up: events are refused in time, and all goes on by itself once there is room."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest

from neonblue.contract.identifiers import uuid7
from neonblue.settings import DiskSettings, Settings
from neonblue.stack import Stack
from neonblue.stack.supervisor.folder_lock import holder
from tests.integration.stack.conftest import new_folder, settings_in
from tests.waiting import until

MEBIBYTE = 1024**2
FULL_SECONDS = 40.0
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@pytest.fixture
def disk() -> Iterator[Path]:
    folder = new_folder()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1200m,mode=0755", "tmpfs", folder], check=False
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)


class Load(threading.Thread):
    """Sends events, and remembers what was said of each."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self.said: list[str] = []
        self.acknowledged: list[str] = []
        self._ended = threading.Event()
        token = settings.api.token.get_secret_value()
        self._http = httpx.Client(
            base_url=settings.api.address,
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=30,
        )

    def run(self) -> None:
        while not self._ended.wait(0.02):
            now = datetime.now(UTC).isoformat()
            event = {"id": uuid7(), "event_type": "visit", "timestamp": now, "user_id": "u"}
            try:
                answer = self._http.post("/v1/events", json=[event])
            except httpx.TransportError as error:
                self.said.append(type(error).__name__)
                continue
            if answer.is_success:
                self.acknowledged.append(event["id"])
            self.said.append("stored" if answer.is_success else answer.json()["code"])

    def since(self, place: int) -> Counter[str]:
        return Counter(self.said[place:])

    def stop(self) -> None:
        self._ended.set()
        self.join(60)
        self._http.close()


class Balloon:
    """Takes room on a disk."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "balloon"

    def leave(self, free: int) -> None:
        with self._file.open("ab") as file:
            taken = shutil.disk_usage(self._file.parent).free - free
            os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), taken)

    def leave_nothing(self, seconds: float) -> None:
        """Also of what others give back meanwhile."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(OSError), self._file.open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(64 * 1024))
            time.sleep(0.1)  # until somebody gives some back

    def burst(self) -> None:
        self._file.unlink()


def neonblue(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "neonblue.cli.main", *arguments, "--data-dir", str(settings.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def states(settings: Settings) -> dict[str, str]:
    told = json.loads(neonblue(settings, "status", "--json").stdout)
    return {service["name"]: service["state"] for service in told["services"]}


def stored(settings: Settings) -> set[str]:
    with psycopg.connect(settings.postgres.dsn()) as connection:
        return {str(number) for (number,) in connection.execute("SELECT id FROM events").fetchall()}


@pytest.mark.timeout(300)
def test_postgresql_that_ends_for_want_of_room_comes_back_and_the_api_stores_again(disk: Path) -> None:
    """Where nothing is refused in time."""
    settings, balloon = settings_in(disk / "data"), Balloon(disk)
    settings = settings.model_copy(update={"disk": DiskSettings(warn_mebibytes=0, refuse_mebibytes=0)})
    with Stack(settings, services={"postgres", "valkey", "api"}) as stack:
        stack.wait_ready()
        load = Load(stack.settings)
        load.start()
        try:
            until(lambda: load.since(0)["stored"] > 20, "events are stored")

            filling = threading.Thread(target=balloon.leave_nothing, args=(FULL_SECONDS,))
            filling.start()
            log = disk / "data" / "logs" / "postgres.log"
            until(lambda: "PANIC" in log.read_text() or not filling.is_alive(), "PostgreSQL has no room")
            filling.join()
            full_until = len(load.said)
            balloon.burst()

            until(lambda: load.since(full_until)["stored"] > 20, "events are stored again", 90)
            stack.wait_ready(timeout=60)
        finally:
            load.stop()
        assert load.since(0)["unavailable"] > 0
        assert set(load.acknowledged) <= stored(settings)


@pytest.mark.timeout(900)
def test_a_full_disk_loses_nothing_and_ends_nothing(disk: Path) -> None:
    settings, balloon = settings_in(disk / "data"), Balloon(disk)
    up = neonblue(settings, "up", "--detach")
    assert up.returncode == 0, up.stdout + up.stderr
    load = Load(settings)
    load.start()
    try:
        until(lambda: load.since(0)["stored"] > 20, "events are stored")

        balloon.leave(45 * MEBIBYTE)  # of 1,200, where they are refused below 60
        until(lambda: load.since(0)["disk_full"] > 20, "events are refused")
        assert set(load.since(0)) == {"stored", "disk_full"}
        until(lambda: states(settings)["disk"] == "unready", "it is told")

        balloon.leave_nothing(FULL_SECONDS)
        full_until = len(load.said)
        balloon.burst()

        until(lambda: set(states(settings).values()) == {"ready"}, "all is ready again", 180)
        until(lambda: load.since(full_until)["stored"] > 20, "events are stored again")
        load.stop()
        assert set(load.acknowledged) <= stored(settings)
        compared = neonblue(settings, "reconcile", "--wait", "90")
        assert compared.returncode == 0, compared.stdout
    finally:
        load.stop()
        began = time.monotonic()
        down = neonblue(settings, "down")
    assert (down.returncode, down.stdout) == (0, "stopped\n")
    assert time.monotonic() - began < 90


@pytest.mark.timeout(120)
def test_a_start_without_a_byte_of_room_goes_on_once_there_is_some(disk: Path) -> None:
    settings, balloon = settings_in(disk / "data"), Balloon(disk)
    with Stack(settings, services={"valkey"}) as stack:
        stack.wait_ready()
    balloon.leave_nothing(1.0)
    try:
        assert shutil.disk_usage(disk).free == 0
        stack = Stack(settings, services={"valkey"})
        stack.start()
        assert holder(stack.settings.data_dir) == os.getpid()
    finally:
        balloon.burst()
    try:
        stack.wait_ready(timeout=60)
        until(lambda: states(settings)["valkey"] == "ready", "the record is written")
    finally:
        stack.stop()
