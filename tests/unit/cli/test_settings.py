"""`neonblue settings`, `neonblue env` and the page made from the same source."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from neonblue.cli.main import app
from neonblue.cli.settings import as_markdown
from neonblue.cli.settings_list import settings_list
from neonblue.settings import Settings
from neonblue.stack.env_file import with_secrets, write
from neonblue.stack.services.environment import variables

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in settings_list():
        monkeypatch.delenv(setting.name, raising=False)


def _shown(folder: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    done = CliRunner().invoke(app, ["settings", *arguments, "--json", "--data-dir", str(folder)])
    assert done.exit_code == 0, done.output
    return {row["name"]: row for row in json.loads(done.stdout)}


def test_every_setting_has_a_description() -> None:
    assert [setting.name for setting in settings_list() if not setting.description] == []


def test_every_variable_that_a_process_gets_is_listed(tmp_path: Path) -> None:
    listed = {setting.name for setting in settings_list()}

    assert set(variables(Settings.load(tmp_path))) <= listed


def test_the_page_of_settings_is_what_the_settings_say() -> None:
    page = (ROOT / "docs/settings.md").read_text()

    assert page == as_markdown(settings_list()), "run: neonblue settings --markdown > docs/settings.md"


def test_a_value_comes_from_the_environment_the_file_or_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "neonblue.env").write_text("NEONBLUE_API_PORT=8001\nNEONBLUE_VALKEY_PORT=16380\n")
    monkeypatch.setenv("NEONBLUE_API_PORT", "8002")
    monkeypatch.setenv("NEONBLUE_KAFKA", '{"port": 19094}')

    shown = _shown(tmp_path)

    found = {name: (row["value"], row["source"]) for name, row in shown.items() if row["source"] != "default"}
    assert found == {
        "NEONBLUE_DATA_DIR": (str(tmp_path), "--data-dir"),
        "NEONBLUE_API_PORT": ("8002", "environment"),
        "NEONBLUE_VALKEY_PORT": ("16380", "neonblue.env"),
        "NEONBLUE_KAFKA_PORT": ("19094", "environment"),
    }
    assert shown["NEONBLUE_API_PORT"]["default"] == "8000"
    assert set(shown) == {setting.name for setting in settings_list()}


def test_no_secret_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "NEONBLUE_POSTGRES_URL": "postgresql://a:hush@db/neonblue",
        "NEONBLUE_CLICKHOUSE_URL": "http://a:hush@clickhouse:8123",
        "NEONBLUE_API_TOKEN": "hush",
        "NEONBLUE_ALERT_URLS": '["json://hush"]',
        "NEONBLUE_API_USER_ID_HASH_KEY": "hush",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    for arguments in ([], ["--json"], ["--changed"], ["--markdown"]):
        done = CliRunner().invoke(app, ["settings", *arguments, "--data-dir", str(tmp_path)])
        assert done.exit_code == 0, done.output
        assert "hush" not in done.output
    shown = _shown(tmp_path)
    assert shown["NEONBLUE_API_TOKEN"]["value"] == "********"
    assert shown["NEONBLUE_POSTGRES_PASSWORD"]["value"] == "", "what is not set is not masked"


def test_settings_are_found_by_a_part_of_name_or_description(tmp_path: Path) -> None:
    assert set(_shown(tmp_path, "Kafka_PORT")) == {"NEONBLUE_KAFKA_PORT"}
    assert "NEONBLUE_API_CORS_ORIGINS" in _shown(tmp_path, "origins")

    none = CliRunner().invoke(app, ["settings", "colour", "--data-dir", str(tmp_path)])

    assert none.exit_code == 1
    assert "no setting has 'colour'" in none.stderr


def test_the_environment_for_a_shell_is_taken_by_it_word_for_word(tmp_path: Path) -> None:
    (tmp_path / "neonblue.env").write_text("NEONBLUE_API_TOKEN='a b$(c)'\nNEONBLUE_API_PORT=8001\n")
    done = CliRunner().invoke(app, ["env", "--data-dir", str(tmp_path)])

    command = f"eval {shlex.quote(done.stdout)}; printenv NEONBLUE_API_URL NEONBLUE_API_TOKEN"
    shell = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"}
    )

    assert shell.stdout.splitlines() == ["http://127.0.0.1:8001", "a b$(c)"]


def test_where_no_stack_was_started_there_is_no_environment(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["env", "--data-dir", str(tmp_path)])

    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is no stack in" in done.stderr


def test_the_stacks_own_address_in_the_environment_makes_no_external_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell that took `neonblue env` can stop the stack and start it again, also on another port."""
    monkeypatch.setenv("NEONBLUE_API_URL", "http://127.0.0.1:8000")
    assert not Settings.load(tmp_path).api.external
    write(with_secrets(Settings.load(tmp_path)))
    assert "NEONBLUE_API_URL" not in (tmp_path / "neonblue.env").read_text()

    monkeypatch.setenv("NEONBLUE_API_URL", "https://experiments.example.com")
    assert Settings.load(tmp_path).api.external
