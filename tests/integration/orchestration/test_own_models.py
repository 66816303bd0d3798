"""The worked example of docs/own-models.md: its files, as they stand there, on the real models."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance

from neonblue.settings import ModelsSettings, Settings
from orchestration import own_models
from orchestration.definitions import build
from tests.integration.orchestration.conftest import Analysis
from tests.integration.orchestration.scenario import experiment, metric
from tests.integration.warehouse import rows

PAGE = Path(__file__).resolve().parents[3] / "docs" / "own-models.md"
_FILE = re.compile(r"`([\w./]+\.(?:yml|sql))`[^\n]*:\n\n```\w+\n(.*?)```", re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The page's project, in a folder with a space."""
    folder = tmp_path / "our models"
    for name, text in _FILE.findall(PAGE.read_text()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    assert sum(path.is_file() for path in folder.rglob("*")) == 5
    return folder


@pytest.fixture
def settings(analysis: Analysis, project: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("NEONBLUE_MODELS_PROJECT", str(project))
    return analysis.settings.model_copy(update={"models": ModelsSettings(project=project)})


def neonblue_dbt(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "neonblue.cli.main", "dbt", *arguments],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_is_built_over_the_models_and_tested(
    settings: Settings, analysis: Analysis, project: Path
) -> None:
    analysis.send("experiment", experiment(metric()))
    analysis.build("+daily_metrics", "+experiment_summary")

    built = neonblue_dbt("--own", "build")

    assert built.returncode == 0, built.stdout + built.stderr
    assert "not_null_weekly_conversions_experiment_key" in built.stdout
    assert "ERROR=0" in built.stdout
    told = "SELECT comment FROM system.tables WHERE name = 'weekly_conversions'"
    assert rows(analysis.client, told) == [("One row per experiment, variant and week (its Monday).",)]
    assert not (project / "target").exists()


def test_dagster_builds_the_example_behind_the_tables_it_reads(
    settings: Settings, analysis: Analysis
) -> None:
    analysis.send("experiment", experiment(metric()))
    analysis.build("+daily_metrics", "+experiment_summary")
    definitions = build(settings)
    own = AssetKey("weekly_conversions")

    node = definitions.resolve_asset_graph().get(own)
    assert node.parent_keys == {AssetKey("daily_metrics"), AssetKey("experiment_summary")}
    assert node.group_name == "own"
    everything = definitions.resolve_job_def("everything").asset_layer
    assert own not in everything.selected_asset_keys
    job = definitions.resolve_job_def("own_models")
    assert job.asset_layer.selected_asset_keys == {own}

    run = job.execute_in_process(instance=DagsterInstance.ephemeral())

    assert run.success
    assert ("weekly_conversions",) in rows(analysis.client, "SELECT name FROM system.tables")


def test_a_project_that_does_not_parse_stops_nothing_else(settings: Settings, project: Path) -> None:
    (project / "models" / "broken.sql").write_text("select * from {{ ref('nowhere') }}")

    with pytest.raises(own_models.OwnProjectError, match="nowhere"):
        own_models.manifest(settings)
    definitions = build(settings)

    keys = definitions.resolve_asset_graph().get_all_asset_keys()
    assert AssetKey("daily_metrics") in keys
    assert AssetKey("weekly_conversions") not in keys


def test_without_a_project_the_command_says_what_to_set(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    unset = neonblue_dbt("--own", "build")
    assert unset.returncode == 1
    assert "NEONBLUE_MODELS_PROJECT names no project" in " ".join(unset.stderr.split())

    monkeypatch.setenv("NEONBLUE_MODELS_PROJECT", str(tmp_path))
    empty = neonblue_dbt("--own", "build")
    assert empty.returncode == 1
    assert "there is no dbt_project.yml" in " ".join(empty.stderr.split())
