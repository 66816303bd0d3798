"""dbt by hand: `neonblue dbt`, and plain dbt by the profile that a stack leaves in a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neonblue.settings import Settings
from neonblue.stack.services import dbt_profile
from orchestration.locking import building
from orchestration.project import dbt_executable, project_path, target_path
from tests.integration.orchestration.conftest import Analysis
from tests.integration.warehouse import free_port

COMMAND = (sys.executable, "-m", "neonblue.cli.main", "dbt")


def neonblue_dbt(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)


def said(run: subprocess.CompletedProcess[str]) -> str:
    return " ".join((run.stdout + run.stderr).split())


def files() -> set[Path]:
    """Of the project, but for the link that a stack beside this test leaves in it."""
    return {path for path in project_path().rglob("*") if path.is_file() and not path.is_symlink()}


def test_dbt_runs_on_the_stack_and_its_exit_code_is_the_commands(analysis: Analysis) -> None:
    before = files()

    built = neonblue_dbt("run", "--select", "stg_experiments")
    assert built.returncode == 0, said(built)
    assert "stg_experiments" in analysis.relations()

    wrong = neonblue_dbt("run", "--select", "stg_experiments", "--vars", "{not yaml")
    assert wrong.returncode == 2, said(wrong)

    assert files() == before
    assert (target_path(analysis.settings) / "run_results.json").exists()


def test_help_of_the_command_and_of_dbt(analysis: Analysis) -> None:
    assert "--own" in neonblue_dbt("--help").stdout
    assert "--full-refresh" in neonblue_dbt("run", "--help").stdout
    assert "Core" in neonblue_dbt("--version").stdout


def test_a_build_by_hand_waits_for_the_one_that_runs(analysis: Analysis) -> None:
    with building(analysis.settings, lambda _: None):
        waiting = subprocess.Popen(
            [*COMMAND, "run", "--select", "stg_experiments"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert waiting.stderr is not None
        told = waiting.stderr.readline().decode()
        assert f"waiting for the build of process {os.getpid()}" in told
        assert "stg_experiments" not in analysis.relations()
        reading = neonblue_dbt("ls", "--select", "stg_experiments")
        assert reading.returncode == 0, said(reading)

    assert waiting.wait(timeout=120) == 0
    assert "stg_experiments" in analysis.relations()


def test_another_stack_at_the_address_is_told_as_such(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEONBLUE_CLICKHOUSE_PASSWORD", "of another stack")

    refused = neonblue_dbt("run")

    assert refused.returncode == 1
    assert "another stack listens there" in said(refused)
    assert "Traceback" not in said(refused)


def test_no_stack_at_the_address_is_told_as_such(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEONBLUE_CLICKHOUSE_PORT", str(free_port()))
    assert "does not answer at" in said(neonblue_dbt("build"))

    monkeypatch.delenv("NEONBLUE_CLICKHOUSE_PASSWORD")
    assert f"there is no stack in {tmp_path}" in said(neonblue_dbt("--data-dir", str(tmp_path), "build"))


def test_plain_dbt_finds_the_stack_by_its_profile(analysis: Analysis, tmp_path: Path) -> None:
    settings: Settings = analysis.settings
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("NEONBLUE_", "DBT_"))
    }

    folders = ("--profiles-dir", str(dbt_profile.write(settings).parent), "--target-path", str(tmp_path))

    run = subprocess.run(
        [dbt_executable(), "run", "--select", "stg_experiments", *folders],
        cwd=project_path(),
        env=environment | {"DBT_LOG_PATH": str(tmp_path / "logs")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, said(run)
    assert "stg_experiments" in analysis.relations()
