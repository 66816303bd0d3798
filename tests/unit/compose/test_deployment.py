"""The folder that ``neonblue compose init`` writes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from dotenv import dotenv_values
from typer.testing import CliRunner

from neonblue.cli.main import app
from neonblue.compose import deployment, kept
from neonblue.compose.machine import Machine
from neonblue.settings import Settings
from neonblue.stack import catalogue
from tests.unit.compose.deployments import LARGE


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_secrets_are_their_owners_alone(folder: Path) -> None:
    private = [*(folder / "secrets").iterdir(), folder / "neonblue.env"]
    assert len(private) > 10
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o700


def test_the_api_and_dagsters_page_share_what_the_page_shows_it(folder: Path) -> None:
    shown = {
        name: dotenv_values(folder / "secrets" / f"{name}.env").get("NEONBLUE_DAGSTER_PAGE_SECRET")
        for name in ("api", "dagster")
    }
    assert shown["api"]
    assert shown["api"] == shown["dagster"]


def test_no_secret_is_in_a_file_for_everybody(folder: Path) -> None:
    keeps = kept.load(folder)
    own = {keeps.writer, keeps.kafka_node, keeps.clickhouse_watcher, keeps.valkey_watcher, keeps.grafana_key}
    secrets = own | {
        value
        for name, value in dotenv_values(folder / "neonblue.env").items()
        if value and name.endswith(("PASSWORD", "TOKEN", "SECRET"))
    }
    assert len(secrets) > 15
    open_to_all = [
        folder / ".env",
        folder / "compose.yaml",
        folder / "Caddyfile",
        *(path for path in (folder / "config").rglob("*") if path.is_file()),
    ]
    for path in open_to_all:
        assert not any(secret in path.read_text() for secret in secrets), path


def test_done_again_it_changes_nothing(tmp_path: Path) -> None:
    deployment.write(tmp_path, LARGE)
    before = content(tmp_path)
    again = deployment.write(tmp_path, LARGE)
    assert content(tmp_path) == before
    assert not any(one.made or one.differs for one in again)


def test_what_was_changed_by_hand_stays_and_is_told(tmp_path: Path) -> None:
    deployment.write(tmp_path, LARGE)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "secrets" / "api.env").write_text("NEONBLUE_API_TOKEN='mine'\n")
    again = deployment.write(tmp_path, replace(LARGE, memory=64 * 1024**3))
    assert (tmp_path / "compose.yaml").read_text() == "services: {}\n"
    assert (tmp_path / "secrets" / "api.env").read_text() == "NEONBLUE_API_TOKEN='mine'\n"
    differ = {one.path for one in again if one.differs}
    assert {"compose.yaml", "secrets/api.env"} <= differ
    assert {".env", "secrets/clickhouse-users.xml"} <= differ  # ClickHouse's share of a larger machine


def test_a_file_that_was_lost_is_made_again_with_the_same_secrets(tmp_path: Path) -> None:
    deployment.write(tmp_path, LARGE)
    before = content(tmp_path)
    (tmp_path / "secrets" / "kafka.properties").unlink()
    (tmp_path / "secrets" / "api.env").unlink()
    deployment.write(tmp_path, LARGE)
    assert content(tmp_path) == before


def test_a_folder_of_an_earlier_version_gets_the_secrets_that_it_lacks(tmp_path: Path) -> None:
    deployment.write(tmp_path, LARGE)
    file = tmp_path / "neonblue.env"
    new = ("GRAFANA_", "VALKEY_MONITORING_", "CLICKHOUSE_MONITORING_", "PAGES_")
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith(new)))
    before = dotenv_values(file)
    for name in ("exporter.env", "pages.yml", "grafana-secret-key"):
        (tmp_path / "secrets" / name).unlink()
    deployment.write(tmp_path, LARGE)
    after = dotenv_values(file)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 4
    assert (tmp_path / "secrets" / "grafana-secret-key").read_text() == after["GRAFANA_SECRET_KEY"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_another_stacks_environment_does_not_leak_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEONBLUE_KAFKA_TOPIC", "of-another-topic")
    monkeypatch.setenv("NEONBLUE_POSTGRES_API_PASSWORD", "of-another-stack")
    deployment.write(tmp_path, LARGE)
    everything = b"".join(content(tmp_path).values())
    assert b"of-another-topic" not in everything
    assert b"of-another-stack" not in everything


def test_two_folders_share_no_secret(folder: Path, tmp_path: Path) -> None:
    deployment.write(tmp_path, LARGE)
    ours, theirs = (
        {value for name, value in dotenv_values(place / "neonblue.env").items() if "PASSWORD" in name}
        for place in (folder, tmp_path)
    )
    assert not ours & theirs


@pytest.mark.parametrize("service", ["api", "dagster-code", "dagster", "dagster-daemon", "exporter"])
def test_a_service_has_no_secret_that_it_does_not_use(folder: Path, service: str) -> None:
    given = {
        name.removeprefix("NEONBLUE_").lower()
        for name in dotenv_values(folder / "secrets" / f"{service}.env")
    }
    # In PostgreSQL each connects as its own role, and Dagster's processes to its storage besides.
    roles = {name for name in given if re.fullmatch(r"postgres_[a-z]+_password", name)}
    (used,) = (node.secrets_used for node in catalogue.NODES if node.name == service)
    assert given - roles <= used


def test_the_folder_is_a_stacks_folder_for_commands_on_the_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load(folder)
    assert settings.api.address == "http://127.0.0.1:8000"
    assert settings.clickhouse.address == "http://127.0.0.1:18123"
    assert (
        f"NEONBLUE_API_TOKEN='{settings.api.token.get_secret_value()}'"
        in (folder / "secrets" / "api.env").read_text()
    )


def test_into_the_folder_of_an_embedded_stack_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, "here", lambda _: LARGE)
    (tmp_path / "postgres").mkdir()
    refused = CliRunner().invoke(app, ["compose", "init", str(tmp_path)])
    assert refused.exit_code == 1
    assert "embedded stack" in refused.output
    assert [path.name for path in tmp_path.iterdir()] == ["postgres"]


def test_on_a_machine_that_is_too_small_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(LARGE, memory=2 * 1024**3)
    monkeypatch.setattr(Machine, "here", lambda _: small)
    target = tmp_path / "new"
    refused = CliRunner().invoke(app, ["compose", "init", str(target)])
    assert refused.exit_code == 1
    assert "2.0 GiB" in refused.output
    assert not target.exists()
    assert CliRunner().invoke(app, ["compose", "init", str(target), "--anyway"]).exit_code == 0
    assert (target / "compose.yaml").exists()
