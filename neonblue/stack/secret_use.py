"""Which secrets each process of the stack uses: it gets these and no other.

A setting counts as a secret where its type says so, and where it is an address, which may hold a password. A new one
reaches no process until it stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

_POSTGRES = frozenset({"postgres_url", "postgres_password"})
_CLICKHOUSE = frozenset({"clickhouse_url", "clickhouse_password"})
_API = frozenset({"api_url", "api_token"})

USED: Mapping[str, frozenset[str]] = {
    "postgres": frozenset(),
    "postgres-schema": _POSTGRES,
    "valkey": frozenset(),
    "kafka": frozenset(),
    "connect": frozenset(),
    "clickhouse": frozenset({"clickhouse_password", "clickhouse_readonly_password"}),
    "api": _POSTGRES
    | _CLICKHOUSE
    | _API
    | {"valkey_url", "valkey_password", "api_user_id_hash_key", "dagster_url", "dagster_public_url"},
    "dagster-code": _POSTGRES | _CLICKHOUSE | _API | {"dagster_url", "alert_urls", "reports_location"},
    "dagster-daemon": frozenset(),
    "dagster": frozenset({"dagster_token", "dagster_public_url", "api_url"}),
}
"""By service or step. Each secret is a setting's name, as its variable has it after the prefix, in small letters.

Kafka and Valkey read their own from a configuration file, Kafka Connect has variables of its own (``NEONBLUE_CDC_…``),
Dagster's storage too (``DAGSTER_POSTGRES_URL``).
"""

FOREIGN = frozenset({"postgres", "valkey", "kafka", "connect"})
"""Programs that know no setting of NeonBlue: they get none."""


def is_secret(name: str, field: FieldInfo) -> bool:
    """Whether the setting `name` of a component holds a secret, or may hold one."""
    return _mentions(field.annotation, SecretStr) or name in {"url", "location"} or name.endswith("_url")


def _mentions(annotation: Any, wanted: type) -> bool:
    return annotation is wanted or any(_mentions(part, wanted) for part in get_args(annotation))


def secrets_of(model: type[BaseModel]) -> frozenset[str]:
    """Every secret among a model's settings, as `USED` names them."""
    return frozenset(
        f"{component}_{name}"
        for component, outer in model.model_fields.items()
        if isinstance(outer.annotation, type) and issubclass(outer.annotation, BaseModel)
        for name, field in outer.annotation.model_fields.items()
        if is_secret(name, field)
    )
