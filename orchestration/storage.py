"""Where Dagster keeps runs, events and schedules: PostgreSQL, on connections that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine, pg_url_from_config

if TYPE_CHECKING:
    from dagster._serdes import ConfigurableClassData
    from sqlalchemy.engine import Engine

_KEPT = 2
_MORE = 30
_RENEWED_SECONDS = 3_600

_engines: dict[str, Engine] = {}


class PooledStorage(DagsterPostgresStorage):
    """Dagster's own, with one addition: all queries of a process share a few connections.

    Without it each query logs in anew, and each evaluation of a sensor looks for the tables again. Logging in, dear by
    design, was most of what an idle Dagster did.
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, postgres_url not in _engines, inst_data)
        engine = _engines.get(postgres_url)
        if engine is None:
            engine = _engines[postgres_url] = _pooled(postgres_url)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = engine  # there is no other way to set it

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledStorage:
        return cls(pg_url_from_config(config_value), inst_data)


def _pooled(postgres_url: str) -> Engine:
    return create_pg_engine(
        postgres_url,
        isolation_level="AUTOCOMMIT",
        pool_size=_KEPT,
        max_overflow=_MORE,
        pool_recycle=_RENEWED_SECONDS,
        pool_pre_ping=True,  # PostgreSQL may have ended the connection meanwhile
    )
