"""Which secrets each process of the stack uses: it gets these and no other.

A setting counts as a secret where its type says so, and where it is an address, which may hold a password. A new one
reaches no process until it stands here.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from neonblue.settings import Role
from neonblue.settings.faults import is_secret
from neonblue.stack.supervisor.names import MONITORING

_POSTGRES = frozenset({"postgres_url", "postgres_password"})
_CLICKHOUSE = frozenset({"clickhouse_url", "clickhouse_password"})
_API = frozenset({"api_url", "api_token"})

USED: Mapping[str, frozenset[str]] = {
    "postgres": frozenset(),
    "postgres-schema": _POSTGRES,
    "valkey": frozenset(),
    "kafka": frozenset(),
    "connect": frozenset(),
    "clickhouse": frozenset(
        {"clickhouse_password", "clickhouse_readonly_password", "kafka_password", "kafka_clickhouse_password"}
    ),
    "api": _POSTGRES
    | _CLICKHOUSE
    | _API
    | {
        "valkey_url",
        "valkey_password",
        "api_user_id_hash_key",
        "dagster_url",
        "dagster_public_url",
        "dagster_page_secret",
    }
    | {"kafka_password", "kafka_api_password"},
    "dagster-code": _POSTGRES
    | _CLICKHOUSE
    | _API
    | {"dagster_url", "dagster_public_url", "alert_urls", "reports_location"}
    | {"kafka_password", "kafka_dagster_password"},
    "dagster-daemon": frozenset(),
    "dagster": frozenset(
        {"dagster_token", "dagster_page_secret", "dagster_url", "dagster_public_url", "api_url"}
    ),
    "exporter": frozenset(
        {"clickhouse_url", "clickhouse_readonly_password", "connect_url", "connect_password"}
    )
    | _POSTGRES
    | {"kafka_password", "kafka_monitoring_password", "dagster_url", "dagster_token"}
    | {"alert_urls", "monitoring_token"},
    "prometheus": frozenset(),
    "alertmanager": frozenset(),
    "postgres-exporter": frozenset(),
    "valkey-exporter": frozenset(),
}
"""By service or step. Each secret is a setting's name, as its variable has it after the prefix, in small letters.

Kafka, Connect and Valkey read theirs from a configuration file, Connect has variables besides (``NEONBLUE_CDC_…``),
Dagster's storage too (``DAGSTER_POSTGRES_URL``), and the exporters of PostgreSQL and Valkey
(``DATA_SOURCE_…``, ``REDIS_PASSWORD``). Alertmanager reads a file.
"""

POSTGRES_ROLES: Mapping[str, Role] = {
    "postgres-schema": Role.API,
    "api": Role.API,
    "dagster-code": Role.ORCHESTRATION,
    "exporter": Role.MONITORING,
}
"""As whom a service or step connects to PostgreSQL: its user and password in the environment are that role's."""

FOREIGN = frozenset({"postgres", "valkey", "kafka", "connect", *MONITORING}) - {"exporter"}
"""Programs that know no setting of NeonBlue: they get none."""


def may_be_secret(name: str, field: FieldInfo) -> bool:
    """Whether the setting `name` of a component holds a secret, or may hold one."""
    return is_secret(field) or name in {"url", "location"} or name.endswith("_url")


def secrets_of(model: type[BaseModel]) -> frozenset[str]:
    """Every secret among a model's settings, as `USED` names them."""
    return frozenset(
        f"{component}_{name}"
        for component, outer in model.model_fields.items()
        if isinstance(outer.annotation, type) and issubclass(outer.annotation, BaseModel)
        for name, field in outer.annotation.model_fields.items()
        if may_be_secret(name, field)
    )
