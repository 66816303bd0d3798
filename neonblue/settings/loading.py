"""All settings together, and how they are loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import pydantic_settings
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from neonblue.settings.api import ApiSettings
from neonblue.settings.disk import DiskSettings
from neonblue.settings.faults import (
    SettingsError,
    Unknown,
    given_variables,
    kept_too_short,
    not_json,
    sentences,
    unknown_variables,
)
from neonblue.settings.kafka import KafkaSettings
from neonblue.settings.monitoring import MonitoringSettings
from neonblue.settings.orchestration import (
    AlertSettings,
    DagsterSettings,
    ModelsSettings,
    ReportsSettings,
    RetentionSettings,
)
from neonblue.settings.postgres import PostgresSettings
from neonblue.settings.stores import (
    ClickHouseSettings,
    ConnectSettings,
    ValkeySettings,
)
from neonblue.settings.traces import TracesSettings

ENVIRONMENT_FILE = "neonblue.env"
SERVICE = "NEONBLUE_SERVICE"
"""Names the service in its processes' environment. They have their settings there, and leave the file alone, which
holds every other service's secrets too."""


class Settings(BaseSettings):
    """All components; read once at the edge and handed down."""

    model_config = SettingsConfigDict(
        env_prefix="NEONBLUE_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
    )

    data_dir: Path = Field(
        default=Path(".neonblue"), description="folder of the stack: data, logs, generated secrets"
    )
    cache_dir: Path = Field(
        default_factory=lambda: _cache_home() / "neonblue",
        description="what is fetched once for all stacks (Kafka, Debezium); default: neonblue in the user's cache",
    )
    postgres: PostgresSettings = PostgresSettings()
    valkey: ValkeySettings = ValkeySettings()
    kafka: KafkaSettings = KafkaSettings()
    connect: ConnectSettings = ConnectSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    api: ApiSettings = ApiSettings()
    dagster: DagsterSettings = DagsterSettings()
    reports: ReportsSettings = ReportsSettings()
    alert: AlertSettings = AlertSettings()
    disk: DiskSettings = DiskSettings()
    retention: RetentionSettings = RetentionSettings()
    models: ModelsSettings = ModelsSettings()
    traces: TracesSettings = TracesSettings()
    monitoring: MonitoringSettings = MonitoringSettings()

    @classmethod
    def load(cls, data_dir: Path | None = None) -> Self:
        """Settings of the stack in `data_dir` (default: ``NEONBLUE_DATA_DIR``, else ``.neonblue``).

        A variable that is empty counts as not set. Raises ``SettingsError`` with a sentence for each value that
        breaks a rule, and where the folder's ``neonblue.env`` can't be read.
        """
        folder = folder_of(data_dir)
        file = None if os.environ.get(SERVICE) else folder / ENVIRONMENT_FILE
        given = given_variables(file)
        try:
            loaded = cls(_env_file=file, data_dir=folder)  # type: ignore[call-arg]
        except ValidationError as error:
            raise SettingsError("\n".join(sentences(cls, error, given))) from None
        except pydantic_settings.exceptions.SettingsError as error:
            raise SettingsError("\n".join(not_json(cls, given)) or str(error)) from None
        if 0 < loaded.retention.events_days <= loaded.api.max_event_age_days + 1:
            raise SettingsError(
                kept_too_short(loaded.api.max_event_age_days, loaded.retention.events_days, given)
            )
        return loaded.model_copy(update={"cache_dir": loaded.cache_dir.expanduser().absolute()})

    @classmethod
    def unknown(cls, data_dir: Path | None = None) -> tuple[Unknown, ...]:
        """What is given for the stack in `data_dir` and is no setting. Raises ``SettingsError`` as `load` does."""
        return unknown_variables(cls, given_variables(folder_of(data_dir) / ENVIRONMENT_FILE).values())


def folder_of(data_dir: Path | None) -> Path:
    """The data folder: `data_dir`, else ``NEONBLUE_DATA_DIR``, else ``.neonblue``; absolute."""
    return Path(data_dir or os.environ.get("NEONBLUE_DATA_DIR") or ".neonblue").expanduser().absolute()


def _cache_home() -> Path:
    """The user's caches. An address that is empty or relative does not count, by the XDG specification."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return Path(given) if given.startswith("/") else Path.home() / ".cache"
    except RuntimeError:  # no HOME, and a user without an entry
        return Path(".cache").absolute()
