"""Everything the stack can run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from neonblue.settings import Settings
from neonblue.settings.addresses import without_credentials
from neonblue.stack.services import monitoring
from neonblue.stack.services.api import Api, PostgresSchema
from neonblue.stack.services.clickhouse import ClickHouse, ClickHouseSchema
from neonblue.stack.services.connect import Connect
from neonblue.stack.services.connector import Connector
from neonblue.stack.services.dagster import DagsterCode, DagsterDaemon, DagsterWeb
from neonblue.stack.services.disk_step import Disk
from neonblue.stack.services.kafka import FetchJars, Kafka
from neonblue.stack.services.postgres import Postgres
from neonblue.stack.services.repair import StreamRepair
from neonblue.stack.services.topics import Topics
from neonblue.stack.services.valkey import Valkey
from neonblue.stack.supervisor.names import MONITORING
from neonblue.stack.supervisor.names import SERVICES as SERVICES
from neonblue.stack.supervisor.nodes import External, Node, Service, with_requirements


def nodes(
    settings: Settings, progress: Callable[[str], None], watched: Collection[str] = ()
) -> tuple[Node, ...]:
    """All services and steps, and what watches the services `watched`. `progress` is told of downloads."""
    return (
        FetchJars(settings, progress),
        _service(Postgres(settings), settings.postgres.external),
        PostgresSchema(settings),
        _service(Valkey(settings), settings.valkey.external),
        _service(Kafka(settings), settings.kafka.external),
        Topics(settings),
        _service(ClickHouse(settings), settings.clickhouse.external),
        ClickHouseSchema(settings),
        _service(Connect(settings), settings.connect.external),
        Connector(settings),
        StreamRepair(settings),
        _service(Api(settings), settings.api.external),
        *_dagster(settings),
        Disk(settings),
        *(monitoring.services(settings, watched) if watched else ()),
    )


def _dagster(settings: Settings) -> tuple[Node, ...]:
    if settings.dagster.external:
        return (External(DagsterWeb(settings)),)
    return (DagsterCode(settings), DagsterWeb(settings), DagsterDaemon(settings))


def _service(service: Service, external: bool) -> Node:
    return External(service) if external else service


def with_steps(available: Iterable[Node], services: Collection[str] | None) -> set[str]:
    """`services` (None: all there are) and the steps they need that nothing else brings: the downloads; the disk.

    And what watches them, where that is among what is available.
    """
    by_name = {node.name: node for node in available}
    chosen = set(services) if services is not None else set(by_name) & set(SERVICES)
    chosen |= set(by_name) & set(MONITORING)
    needed = {name for service in chosen & set(by_name) for name in by_name[service].requires}
    return chosen | (needed - set(SERVICES)) | ({Disk.name} & set(by_name))


def needed(nodes: Collection[Node]) -> set[str]:
    """What must be ready for events to be taken: the API and what it waits for; without an API, everything."""
    names = {node.name for node in nodes}
    return with_requirements({"api"}, nodes) if "api" in names else names


def address(name: str, settings: Settings) -> str:
    """Where a service is reached, without its secrets; '' for what has no address."""
    postgres, valkey = settings.postgres, settings.valkey
    addresses = {
        "postgres": f"{postgres.host}:{postgres.port}" if not postgres.external else "external",
        "valkey": f"127.0.0.1:{valkey.port}" if not valkey.external else "external",
        "kafka": settings.kafka.address,
        "connect": settings.connect.address,
        "clickhouse": settings.clickhouse.address,
        "api": settings.api.address,
        "dagster": settings.dagster.address,
        "dagster-code": "a Unix socket",
        "exporter": f"127.0.0.1:{settings.monitoring.exporter_port}",
        "postgres-exporter": f"127.0.0.1:{settings.monitoring.postgres_exporter_port}",
        "valkey-exporter": f"127.0.0.1:{settings.monitoring.valkey_exporter_port}",
        "alertmanager": f"http://127.0.0.1:{settings.monitoring.alertmanager_port}",
        "prometheus": f"http://127.0.0.1:{settings.monitoring.prometheus_port}",
    }
    return without_credentials(addresses.get(name, ""))
