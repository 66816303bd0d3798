"""Which secrets there are. Each service and step says which ones its process gets (`Node.secrets_used`).

A setting counts as a secret where its type says so, and where it is an address, which may hold a password. A new one
reaches no process until a service names it: as its variable has it after the prefix, in small letters.

Kafka, Connect and Valkey read theirs from a configuration file, Connect has variables besides (``NEONBLUE_CDC_…``),
Dagster's storage too (``DAGSTER_POSTGRES_URL``), and the exporters of PostgreSQL and Valkey
(``DATA_SOURCE_…``, ``REDIS_PASSWORD``). Alertmanager reads a file.
"""

from __future__ import annotations

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from neonblue.settings.faults import is_secret

POSTGRES = frozenset({"postgres_url", "postgres_password"})
CLICKHOUSE = frozenset({"clickhouse_url", "clickhouse_password"})
API = frozenset({"api_url", "api_token"})


def may_be_secret(name: str, field: FieldInfo) -> bool:
    """Whether the setting `name` of a component holds a secret, or may hold one."""
    return is_secret(field) or name in {"url", "location"} or name.endswith("_url")


def secrets_of(model: type[BaseModel]) -> frozenset[str]:
    """Every secret among a model's settings, as services name them."""
    return frozenset(
        f"{component}_{name}"
        for component, outer in model.model_fields.items()
        if isinstance(outer.annotation, type) and issubclass(outer.annotation, BaseModel)
        for name, field in outer.annotation.model_fields.items()
        if may_be_secret(name, field)
    )
