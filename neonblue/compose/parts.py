"""Which secrets each container has, and as whom it signs in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from neonblue.compose.kept import Kept
from neonblue.settings import Role, ValkeySettings
from neonblue.settings import kafka as kafka_settings
from neonblue.stack.services.connect import database_variables

WRITER = "neonblue_writer"
"""Who the API is in ClickHouse: reads, adds and deletes rows, and makes nothing."""
WATCHER = "neonblue_monitoring"
"""Who the exporters are in ClickHouse, PostgreSQL and Valkey: sees how each does, and no row but the heartbeats."""


@dataclass(frozen=True, slots=True)
class Part:
    """A container of NeonBlue's own: whom it is in PostgreSQL, Kafka and ClickHouse, and what other secrets it has."""

    roles: tuple[Role, ...] = ()
    kafka: kafka_settings.Part | None = None
    clickhouse: Literal["owner", "writer", "watcher"] | None = None
    more: tuple[str, ...] = ()


PARTS: Mapping[str, Part] = {
    "keeper": Part(
        tuple(Role),
        "admin",
        "owner",
        (
            "POSTGRES_PASSWORD",
            "CONNECT_URL",
            "API_TOKEN",
            "DAGSTER_TOKEN",
            "CLICKHOUSE_READONLY_PASSWORD",
            *(f"KAFKA_{part.upper()}_PASSWORD" for part in kafka_settings.PARTS),
        ),
    ),
    "api": Part((Role.API,), "api", "writer", ("VALKEY_URL", "API_TOKEN", "DAGSTER_PAGE_SECRET")),
    "dagster-code": Part((Role.ORCHESTRATION, Role.DAGSTER), "dagster", "owner", ("API_TOKEN",)),
    "dagster": Part((Role.DAGSTER,), more=("DAGSTER_TOKEN", "DAGSTER_PAGE_SECRET")),
    "dagster-daemon": Part((Role.DAGSTER,)),
    "demo": Part(more=("API_TOKEN",)),
    "exporter": Part(
        (Role.MONITORING,), "monitoring", "watcher", ("CONNECT_URL", "DAGSTER_TOKEN", "MONITORING_TOKEN")
    ),
}
"""By service. ``keeper`` is also ``set-up``: it makes the roles, users, tables and topics, as the supervisor of an
embedded stack does, and so has the keys to all; and ``cli``, which is for who owns them."""


def secrets_of(name: str, kept: Kept) -> dict[str, str]:
    """The secrets of one of `PARTS`, as variables."""
    part, settings = PARTS[name], kept.settings
    found = {
        f"POSTGRES_{role.upper()}_PASSWORD": _shown(settings.postgres.password_of(role))
        for role in part.roles
    }
    if part.kafka is not None:
        found["KAFKA_PASSWORD"] = settings.kafka.password_of(part.kafka)
    if part.clickhouse == "watcher":
        # The exporter asks as who reads only; here that is a user of its own, whose places no reader takes.
        found["CLICKHOUSE_READONLY_PASSWORD"] = kept.clickhouse_watcher
    elif part.clickhouse is not None:
        owner = _shown(settings.clickhouse.password)
        found["CLICKHOUSE_PASSWORD"] = kept.writer if part.clickhouse == "writer" else owner
    every = _everything(kept)
    found |= {name: every[name] for name in part.more}
    return {f"NEONBLUE_{name}": value for name, value in found.items()}


def connect_variables(kept: Kept) -> dict[str, str]:
    """Where Debezium finds PostgreSQL, and its password there."""
    settings = kept.settings
    inside = settings.model_copy(
        update={"postgres": settings.postgres.model_copy(update={"host": "postgres"})}
    )
    return database_variables(inside)


def _everything(kept: Kept) -> dict[str, str]:
    settings = kept.settings
    connect, valkey = settings.connect, settings.valkey
    passwords = {
        f"KAFKA_{part.upper()}_PASSWORD": settings.kafka.password_of(part) for part in kafka_settings.PARTS
    }
    return passwords | {
        "CLICKHOUSE_READONLY_PASSWORD": _shown(settings.clickhouse.readonly_password),
        "POSTGRES_PASSWORD": _shown(settings.postgres.password),
        "CONNECT_URL": f"http://{connect.user}:{_shown(connect.password)}@connect:{connect.port}",
        "VALKEY_URL": _valkey(valkey),
        "API_TOKEN": _shown(settings.api.token),
        "DAGSTER_TOKEN": _shown(settings.dagster.token),
        "DAGSTER_PAGE_SECRET": _shown(settings.dagster.page_secret),
        "MONITORING_TOKEN": _shown(settings.monitoring.token),
    }


def _valkey(valkey: ValkeySettings) -> str:
    return valkey.dsn.replace("@127.0.0.1:", "@valkey:", 1)


def _shown(secret: SecretStr) -> str:
    return secret.get_secret_value()
