"""The profile that plain dbt finds: the running stack's values, and what the environment says before them."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment

from neonblue.files import Folder, folder
from neonblue.settings import Settings
from neonblue.stack.services import dbt_profile
from neonblue.stack.supervisor.folder_lock import FolderLock

HARD = "a'b\"c\\d}}e{{f"


def stack(data_dir: Path, **clickhouse: object) -> Settings:
    return Settings.model_validate({"data_dir": data_dir, "clickhouse": clickhouse})


def read(path: Path, environment: dict[str, str] | None = None) -> dict[str, str]:
    """The profile's values as dbt renders them in this environment."""
    jinja = Environment()
    jinja.globals["env_var"] = lambda name, default: (environment or {}).get(name, default)
    for name in ("as_number", "as_bool"):
        jinja.filters[name] = lambda value: value
    output = yaml.safe_load(path.read_text())["neonblue"]["outputs"]["default"]
    return {name: jinja.from_string(str(value)).render() for name, value in output.items()}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout's project, with the profile alone."""
    copy = tmp_path / "checkout" / "dbt_project"
    (copy / "profile").mkdir(parents=True)
    text = (folder(Folder.DBT_PROJECT) / "profile" / "profiles.yml").read_text()
    (copy / "profile" / "profiles.yml").write_text(text)
    monkeypatch.setattr(dbt_profile, "folder", lambda _: copy)
    return copy


@pytest.mark.parametrize("password", ["plain", HARD, "12345", ""])
def test_the_stacks_values_are_the_defaults_and_only_its_owner_reads_them(
    project: Path, tmp_path: Path, password: str
) -> None:
    path = dbt_profile.write(stack(tmp_path / "data", port=12345, password=password, user="me"))

    found = read(path)
    assert (found["host"], found["port"], found["secure"]) == ("127.0.0.1", "12345", "False")
    assert (found["user"], found["password"], found["schema"]) == ("me", password, "default")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_external_server_is_named_with_its_own_address(project: Path, tmp_path: Path) -> None:
    path = dbt_profile.write(stack(tmp_path / "data", url="https://warehouse.example", database="neonblue"))

    found = read(path)
    assert (found["host"], found["port"], found["secure"]) == ("warehouse.example", "8443", "True")
    assert found["schema"] == "neonblue"


def test_what_the_environment_says_comes_first(project: Path, tmp_path: Path) -> None:
    path = dbt_profile.write(stack(tmp_path / "data", port=12345, password="kept"))

    assert read(path, {"NEONBLUE_CLICKHOUSE_PORT": "2"})["port"] == "2"
    assert read(path, {"NEONBLUE_CLICKHOUSE_PORT": "2", "NEONBLUE_DBT_PORT": "3"})["port"] == "3"


def test_a_checkout_leads_to_the_stack_that_runs(project: Path, tmp_path: Path) -> None:
    link, first, second = project / "profiles.yml", tmp_path / "first", tmp_path / "second"

    dbt_profile.write(stack(first, password="one"))
    assert read(link)["password"] == "one"

    with FolderLock(first):
        dbt_profile.write(stack(second, password="two"))
        assert read(link)["password"] == "one"

    dbt_profile.write(stack(second, password="two"))
    assert read(link)["password"] == "two"


def test_a_link_that_leads_nowhere_is_made_anew(project: Path, tmp_path: Path) -> None:
    (project / "profiles.yml").symlink_to(tmp_path / "gone" / "dbt" / "profiles.yml")

    dbt_profile.write(stack(tmp_path / "data", password="one"))

    assert read(project / "profiles.yml")["password"] == "one"


def test_a_profile_of_the_users_own_stays(project: Path, tmp_path: Path) -> None:
    (project / "profiles.yml").write_text("mine: {}\n")

    dbt_profile.write(stack(tmp_path / "data"))

    assert (project / "profiles.yml").read_text() == "mine: {}\n"


def test_a_wheel_has_every_part_of_the_project_and_nothing_that_is_written_there() -> None:
    project = folder(Folder.DBT_PROJECT)
    pyproject = tomllib.loads((project.parent / "pyproject.toml").read_text())
    shipped = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    parts = {name.removeprefix("dbt_project/") for name in shipped if name.startswith("dbt_project/")}
    written = {"target", "logs", "dbt_packages", "profiles.yml", "package-lock.yml"}
    assert parts == {path.name for path in project.iterdir() if path.name[0] != "."} - written
