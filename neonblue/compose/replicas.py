"""The overlay ``ha.yaml``'s files: of Kafka's three nodes, ClickHouse's replicas and Keepers, PostgreSQL's standby."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml  # type: ignore[import-untyped]

from neonblue.compose import clickhouse, watching
from neonblue.compose.kept import Kept
from neonblue.settings import Role
from neonblue.stack.services import templates

CLUSTER = "neonblue"
"""ClickHouse's, as NEONBLUE_CLICKHOUSE_CLUSTER names it."""
BROKERS = ("kafka", "kafka-2", "kafka-3")
REPLICAS = ("clickhouse", "clickhouse-2")
KEEPERS = ("clickhouse-keeper-1", "clickhouse-keeper-2", "clickhouse-keeper-3")
STANDBY = "standby"
"""The standby of PostgreSQL, as the primary knows it: the name of its slot, and of its connection."""
_KEEPER_PORT, _RAFT_PORT, _NATIVE_PORT = 9181, 9234, 9000
_PASSFILE = "/run/secrets/standby.pgpass"
_HBA = """\
# Who may come to PostgreSQL, and how: everybody by a password. The last line is the standby's.
local all all scram-sha-256
host all all all scram-sha-256
host replication {user} all scram-sha-256
"""


def bootstrap(keeps: Kept) -> str:
    """All brokers."""
    return ",".join(f"{host}:{keeps.settings.kafka.port}" for host in BROKERS)


def configuration(keeps: Kept, server: Callable[..., str]) -> dict[str, str]:
    """What anybody may read, by its path. server: PostgreSQL's configuration with the changes that it is given."""
    port = keeps.settings.postgres.port
    primary = (
        f"host=postgres port={port} user={Role.SUPERVISOR.login} dbname={keeps.settings.postgres.database} "
        f"passfile={_PASSFILE} application_name={STANDBY}"
    )
    standby = server(
        primary_conninfo=f"'{primary}'",
        primary_slot_name=f"'{STANDBY}'",
        hot_standby_feedback="on",
        sync_replication_slots="on",
    )
    return {
        "config/ha/postgresql-standby.conf": standby,
        "config/ha/pg_hba.conf": _HBA.format(user=Role.SUPERVISOR.login),
        "config/ha/prometheus.yml": _both_apis(
            watching.configuration(keeps)["config/monitoring/prometheus.yml"]
        ),
        **{f"config/ha/{host}.xml": _keeper(number) for number, host in enumerate(KEEPERS, 1)},
    }


def secrets(keeps: Kept, listen: str, log_dir: str, plugins: str) -> dict[str, str]:
    """What only the containers that read it may, by its name in ``secrets``."""
    settings = keeps.settings
    brokers = {
        f"ha-{host}.properties": templates.broker(
            settings, log_dir, keeps.kafka_node, listen=listen, host=host, cluster=BROKERS
        )
        for host in BROKERS
    }
    password = settings.postgres.password_of(Role.SUPERVISOR).get_secret_value()
    return brokers | {
        "ha-worker.properties": templates.worker(
            settings, plugins, listen=listen, bootstrap_servers=bootstrap(keeps)
        ),
        "ha-kafka-ui.yml": watching.kafka_ui(keeps, bootstrap(keeps)),
        "ha-standby.pgpass": f"postgres:{settings.postgres.port}:*:{Role.SUPERVISOR.login}:{password}\n",
        **{f"ha-{host}.xml": _replica(keeps, host) for host in REPLICAS},
    }


def _replica(keeps: Kept, host: str) -> str:
    return clickhouse.filled(
        "replica.xml",
        host=host,
        password=keeps.clickhouse_replica,
        cluster=CLUSTER,
        kafka_broker_list=bootstrap(keeps),
        replicas=_elements("replica", ({"host": one, "port": _NATIVE_PORT} for one in REPLICAS), 16),
        keepers=_elements("node", ({"host": one, "port": _KEEPER_PORT} for one in KEEPERS), 8),
    )


def _keeper(number: int) -> str:
    servers = ({"id": at, "hostname": host, "port": _RAFT_PORT} for at, host in enumerate(KEEPERS, 1))
    return clickhouse.filled(
        "keeper.xml", number=number, port=_KEEPER_PORT, servers=_elements("server", servers, 12)
    )


def _elements(name: str, each: Any, indent: int) -> str:
    lines = (
        f"<{name}>{''.join(f'<{tag}>{value}</{tag}>' for tag, value in one.items())}</{name}>" for one in each
    )
    return ("\n" + " " * indent).join(lines)


def _both_apis(text: str) -> str:
    read: dict[str, Any] = yaml.safe_load(text)
    (job,) = (one for one in read["scrape_configs"] if one["job_name"] == "api")
    (at,) = job["static_configs"]
    (target,) = at["targets"]
    at["targets"] = [target, target.replace("api:", "api-2:")]
    return str(yaml.safe_dump(read, sort_keys=False))
