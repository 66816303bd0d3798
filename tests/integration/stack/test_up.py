"""`neonblue up` with everything, on a machine that is slower than it is given time for."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from neonblue.settings import Settings
from neonblue.stack import folders
from tests.waiting import until


def command(settings: Settings, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "neonblue.cli.main", *arguments, "--data-dir", str(settings.data_dir)]


@pytest.mark.timeout(400)
def test_what_is_late_is_told_and_the_rest_serves(settings: Settings, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("wb") as output:
        up = subprocess.Popen(command(settings, "up", "--timeout", "0"), stdout=output, stderr=output)
    try:
        until(lambda: "late " in said.read_text(), "it is told what is late", 60)
        until(lambda: "ready after" in said.read_text(), "everything is ready", 240)

        status = subprocess.run(
            command(settings, "status", "--json"), capture_output=True, text=True, check=True
        )
        assert httpx.get(f"{settings.api.address}/readyz", trust_env=False).is_success
        assert json.loads(status.stdout)["ready"]
        assert folders.foreign(settings.data_dir) == []

        again = subprocess.run(
            command(settings, "up", "--detach"), capture_output=True, text=True, check=False
        )
        refused = subprocess.run(command(settings, "up"), capture_output=True, text=True, check=False)
        assert (again.returncode, again.stderr) == (0, "")
        assert again.stdout.startswith(f"already up (process {up.pid}, ")
        assert list((settings.data_dir / "logs").glob("up.*")) == []
        assert (refused.returncode, refused.stdout) == (1, "")
        assert f"already runs in {settings.data_dir} (process {up.pid})" in " ".join(refused.stderr.split())
        assert up.poll() is None
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(60)


@pytest.mark.timeout(200)
def test_a_failure_of_what_events_need_ends_it_and_is_named(settings: Settings) -> None:
    (settings.data_dir / "postgres").mkdir()
    (settings.data_dir / "postgres" / "PG_VERSION").write_text("17\n")

    done = subprocess.run(command(settings, "up"), capture_output=True, text=True, timeout=180, check=False)

    assert done.returncode == 1
    assert "postgres: ended with exit code" in done.stderr
