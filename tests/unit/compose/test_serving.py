"""What reaches a service's process of what its container is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from neonblue.compose.serving import SERVICES
from neonblue.settings import Settings
from orchestration.web.origins import Site

NEEDS_NONE = {
    "dagster-daemon": {"NEONBLUE_DAGSTER_URL", "NEONBLUE_DAGSTER_PUBLIC_URL"},
    "exporter": {"NEONBLUE_DAGSTER_PUBLIC_URL"},
}
"""Addresses that every container is given, and that a process asks nobody at."""


@pytest.fixture(params=sorted(SERVICES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def environment_of(
    name: str, services: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Of the service's process, in a container with what the deployment gives it."""
    for known in [one for one in os.environ if one.startswith("NEONBLUE_")]:
        monkeypatch.delenv(known)
    given = services[name]["environment"] | {"NEONBLUE_DATA_DIR": str(folder)}
    for variable, value in given.items():
        monkeypatch.setenv(variable, str(value))
    (folder / "dagster" / "code-server").mkdir(parents=True)
    return dict(SERVICES[name](Settings.load(folder)).command().environment)


def test_every_address_that_a_container_is_given_reaches_its_process(
    name: str, services: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = environment_of(name, services, tmp_path, monkeypatch)

    given = {variable for variable in services[name]["environment"] if variable.startswith("NEONBLUE_")}
    assert given - set(reached) == NEEDS_NONE.get(name, set())


def test_dagsters_page_is_served_under_the_name_by_which_other_containers_ask(
    services: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = environment_of("dagster", services, tmp_path, monkeypatch)
    asked = services["cli"]["environment"]["NEONBLUE_DAGSTER_URL"].removeprefix("http://")

    site = Site.of(reached.get("NEONBLUE_DAGSTER_PUBLIC_URL"), reached.get("NEONBLUE_DAGSTER_URL"))

    assert site.check_host([asked]) == asked


@pytest.mark.parametrize("service", ["cli", "dagster-code"])
def test_people_are_sent_to_dagsters_page_where_they_can_open_it(
    services: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    for variable, value in services[service]["environment"].items():
        monkeypatch.setenv(variable, str(value))

    assert Settings.load(tmp_path).dagster.run_page("run") == "http://127.0.0.1:3000/runs/run"
