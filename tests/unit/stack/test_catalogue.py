"""A service declares once what others must know of it, and all of them know it."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from neonblue.cli.main import app
from neonblue.settings import Settings
from neonblue.stack import Stack, catalogue, env_file, folders, prerequisites
from neonblue.stack.services import secret_use
from neonblue.stack.supervisor.nodes import Service

every_service = pytest.mark.parametrize("service", catalogue.ALL_SERVICES, ids=lambda service: service.name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(tmp_path)


def test_every_service_is_found() -> None:
    names = [node.name for node in catalogue.NODES]

    assert max(Counter(names).values()) == 1
    assert {"postgres", "kafka", "api", "dagster-daemon", "prometheus"} <= set(catalogue.LOGS)
    assert not set(catalogue.SERVICES) & set(catalogue.MONITORING)
    assert {*catalogue.SERVICES, *catalogue.MONITORING, *catalogue.STEPS} == set(names)
    shown = [name for name in names if name in ("jars", "postgres", "valkey", "api", "disk", "exporter")]
    assert shown == ["jars", "postgres", "valkey", "api", "disk", "exporter"]


@every_service
def test_its_ports_are_settings_and_no_other_services(service: type[Service], settings: Settings) -> None:
    component = type(getattr(settings, service.component))
    others = {
        (other.component, field)
        for other in catalogue.ALL_SERVICES
        if other is not service
        for field in other.port_settings
    }

    for field in service.port_settings:
        assert component.model_fields[field].annotation is int
        assert (service.component, field) not in others
    mine = {use.port for use in service.listening(settings)}
    taken = {
        use.port
        for other in catalogue.ALL_SERVICES
        if other is not service
        for use in other.listening(settings)
    }
    assert len(mine) == len(service.port_settings)
    assert not mine & taken


def test_every_port_among_the_settings_is_a_services() -> None:
    named = {
        (component, field)
        for component, outer in Settings.model_fields.items()
        for field in getattr(outer.annotation, "model_fields", {})
        if field == "port" or field.endswith("_port")
    }

    assert named == set(catalogue.port_settings())


@every_service
def test_it_is_checked_on_the_ports_that_its_settings_give(
    service: type[Service], settings: Settings
) -> None:
    moved = catalogue.with_free_ports(settings)

    uses = service.listening(moved)

    for use, field in zip(uses, service.port_settings, strict=True):
        assert use.port == getattr(getattr(moved, service.component), field)
        assert use.port != getattr(getattr(settings, service.component), field)
        assert use.setting == f"NEONBLUE_{service.component}_{field}".upper()
        assert str(use.port) in catalogue.address(service.name, moved) or field != service.port_settings[0]


@every_service
def test_the_doctor_misses_its_packages(
    service: type[Service], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {package.module for package in service.packages} | set(service.clients)
    found = prerequisites.find_spec
    monkeypatch.setattr(prerequisites, "find_spec", lambda name: None if name in gone else found(name))

    missing = prerequisites.missing_packages(settings)

    assert {package.brings for package in service.packages} <= set(missing)
    assert ("the supervisor" in missing) == bool(service.clients)


@every_service
def test_its_secrets_are_made_and_kept(service: type[Service], settings: Settings) -> None:
    made = env_file.with_secrets(settings)
    env_file.write(made)

    loaded = getattr(Settings.load(settings.data_dir), service.component)
    for field in service.secrets:
        secret = getattr(loaded, field)
        assert isinstance(secret, SecretStr)
        assert len(secret.get_secret_value()) >= 32
        assert not getattr(getattr(settings, service.component), field).get_secret_value()
    assert {f"{service.component}_{field}" for field in service.secrets} <= secret_use.secrets_of(Settings)


@every_service
def test_what_it_keeps_is_no_strangers(service: type[Service], tmp_path: Path) -> None:
    for name in service.folders:
        (tmp_path / name).mkdir()

    assert folders.foreign(tmp_path) == []


def test_every_setting_of_an_external_one_that_is_named_exists() -> None:
    for service in catalogue.ALL_SERVICES:
        fields = Settings.model_fields[service.component].annotation.model_fields  # type: ignore[union-attr]
        assert {*service.kept_if_external, *service.secrets, *service.port_settings} <= set(fields)


def test_status_and_the_help_list_every_service(tmp_path: Path) -> None:
    def shown(*arguments: str) -> set[str]:
        out = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "300"}).stdout
        return set(re.sub("[,;.]", " ", out).split())

    stack = Stack(Settings.load(tmp_path), watched=True)
    here = {status.name for status in stack.status()}
    stack._recorder.write()

    names = {service.name for service in catalogue.ALL_SERVICES}
    assert {*catalogue.SERVICES, "exporter"} <= here
    assert here <= shown("status", "--data-dir", str(tmp_path))
    assert set(catalogue.SERVICES) <= shown("up", "--help")
    assert names <= shown("logs", "--help")


def test_a_module_that_is_added_is_a_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(
        "from neonblue.stack.services.valkey import Valkey\n\n\nclass Toy(Valkey):\n    name = 'toy'\n"
    )
    monkeypatch.setattr(catalogue._services, "__path__", [*catalogue._services.__path__, str(tmp_path)])

    assert "toy" in {node.name for node in catalogue._declared()}
    del sys.modules["neonblue.stack.services.toy"]
