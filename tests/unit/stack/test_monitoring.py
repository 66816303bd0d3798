"""What watches the stack: what is installed, what is left out, and who is told which secret."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from neonblue.cli.main import app
from neonblue.settings import Settings
from neonblue.stack import catalogue, env_file
from neonblue.stack.errors import RequirementError
from neonblue.stack.services import monitoring
from neonblue.stack.supervisor.nodes import Service, dependents

EVERY = ("prometheus", "alertmanager", "prometheus-postgres-exporter", "redis_exporter")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are looked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch(mode=0o755)


def settings(folder: Path) -> Settings:
    return env_file.with_secrets(Settings(data_dir=folder))


def found(folder: Path, *platform: str) -> dict[str, Service]:
    nodes = catalogue.nodes(settings(folder), lambda _: None, platform or catalogue.SERVICES)
    return {node.name: node for node in nodes if isinstance(node, Service) and node.beside}


def test_a_stack_that_is_not_watched_has_nothing_of_it(tmp_path: Path, programs: Path) -> None:
    install(programs, *EVERY)

    plain = {node.name for node in catalogue.nodes(settings(tmp_path), lambda _: None)}
    watched = {node.name for node in catalogue.nodes(settings(tmp_path), lambda _: None, catalogue.SERVICES)}

    assert watched - plain == set(catalogue.MONITORING)
    assert plain <= watched


def test_programs_are_found_by_their_own_names_and_by_debians(tmp_path: Path, programs: Path) -> None:
    install(programs, *EVERY)

    assert monitoring.require() == ()
    assert set(found(tmp_path)) == set(catalogue.MONITORING)


def test_what_is_missing_is_left_out_and_named_with_its_package(tmp_path: Path, programs: Path) -> None:
    install(programs, "prometheus", "prometheus-redis-exporter")

    told = monitoring.require()

    assert set(found(tmp_path)) == {"exporter", "valkey-exporter", "prometheus"}
    assert [
        "apt-get install prometheus-postgres-exporter (" in told[0],
        "alertmanager is not" in told[1],
    ] == [
        True,
        True,
    ]


def test_without_prometheus_there_is_nothing_to_see(programs: Path) -> None:
    install(programs, *EVERY[1:])

    with pytest.raises(RequirementError, match="Prometheus is not installed: apt-get install prometheus"):
        monitoring.require()


def test_the_command_says_what_to_install_before_it_starts_anything(tmp_path: Path, programs: Path) -> None:
    folder = tmp_path / "data"

    done = CliRunner().invoke(app, ["up", "--with", "monitoring", "--data-dir", str(folder)])

    assert done.exit_code == 1
    assert "apt-get install prometheus-postgres-exporter prometheus-redis-exporter" in " ".join(
        done.output.split()
    )
    assert not (folder / "postgres").exists()


def test_what_the_command_does_not_know_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["up", "--with", "magic", "--data-dir", str(tmp_path)])

    assert done.exit_code == 2


def test_only_what_runs_is_asked(tmp_path: Path, programs: Path) -> None:
    install(programs, *EVERY)
    watched = found(tmp_path, "valkey")["prometheus"]
    assert isinstance(watched, monitoring.Prometheus)

    watched.prepare()

    written = yaml.safe_load((tmp_path / "monitoring" / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"] for job in written["scrape_configs"]}
    assert jobs == {"exporter", "valkey", "alertmanager", "prometheus"}


def test_no_secret_is_on_a_command_line_and_all_files_are_their_owners(
    tmp_path: Path, programs: Path
) -> None:
    install(programs, *EVERY)
    made = settings(tmp_path)
    secrets = [
        made.monitoring.token,
        made.monitoring.password,
        made.valkey.password,
        made.postgres.monitoring_password,
    ]

    for service in catalogue.nodes(made, lambda _: None, catalogue.SERVICES):
        if not isinstance(service, Service) or not service.beside:
            continue
        service.prepare()
        command = service.command()
        assert not any(secret.get_secret_value() in " ".join(command.arguments) for secret in secrets)

    files = [
        file
        for file in (tmp_path / "monitoring").rglob("*")
        if file.is_file() and file.parent.name != "rules"
    ]
    assert files
    assert [file for file in files if file.stat().st_mode & 0o077] == []
    assert (tmp_path / "monitoring").stat().st_mode & 0o077 == 0


def test_exporters_leave_before_what_they_ask(tmp_path: Path, programs: Path) -> None:
    install(programs, *EVERY)
    nodes = catalogue.nodes(settings(tmp_path), lambda _: None, catalogue.SERVICES)

    assert "postgres-exporter" in dependents("postgres", nodes)
    assert "valkey-exporter" in dependents("valkey", nodes)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://u:p@127.0.0.1:15432/n", "127.0.0.1:15432/n?sslmode=disable"),
        ("postgresql://u:p@[::1]/n", "[::1]:5432/n?sslmode=disable"),
        ("postgresql://u:p@[2001:db8::7]:6/n", "[2001:db8::7]:6/n?sslmode=require"),
        ("postgresql://u:p@db.example.com/n", "db.example.com:5432/n?sslmode=require"),
        ("postgresql://u:p@db.example.com/n?sslmode=prefer", "db.example.com:5432/n?sslmode=require"),
        ("postgresql://u:p@db.example.com/n?sslmode=disable", "db.example.com:5432/n?sslmode=disable"),
        (
            "postgresql://u:p@db.example.com/n?sslmode=verify-full&sslrootcert=/a%20b.pem",
            "db.example.com:5432/n?sslmode=verify-full&sslrootcert=%2Fa+b.pem",
        ),
    ],
)
def test_postgres_elsewhere_is_asked_by_tls(address: str, expected: str) -> None:
    assert monitoring.place(conninfo_to_dict(address)) == expected
