"""Every setting of NeonBlue, typed, with one prefix (``NEONBLUE_``) and one source of defaults.

A setting comes, in this order, from the environment, from ``<data-dir>/neonblue.env`` (which ``neonblue up``
writes: addresses and generated secrets), from the defaults below. ``NEONBLUE_POSTGRES_PORT`` sets
``Settings.postgres.port``. A service whose address (``url``, ``bootstrap_servers``) is given is an external
one: the stack neither starts nor stops it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ENVIRONMENT_FILE = "neonblue.env"


class Component(BaseModel):
    """Settings of one component: immutable, and no unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PostgresSettings(Component):
    """The source of truth for what was accepted."""

    url: SecretStr | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=15432, ge=1, le=65535)
    user: str = "neonblue"
    password: SecretStr = SecretStr("")
    database: str = "neonblue"
    dagster_database: str = "dagster"
    system_user: str = Field(default="neonblue", description="runs PostgreSQL where root starts the stack")

    @property
    def external(self) -> bool:
        return self.url is not None

    def dsn(self, database: str | None = None) -> str:
        """The libpq address, of `database` where given (on an external server: of that server's database)."""
        if self.url is not None:
            given = self.url.get_secret_value()
            return given if database is None else urlsplit(given)._replace(path=f"/{database}").geturl()
        credentials = f"{quote(self.user, safe='')}:{quote(self.password.get_secret_value(), safe='')}"
        return f"postgresql://{credentials}@{self.host}:{self.port}/{database or self.database}"


class ValkeySettings(Component):
    """Assignment cache, sessions, rate limits: nothing that cannot be lost."""

    url: SecretStr | None = None
    port: int = Field(default=16379, ge=1, le=65535)
    password: SecretStr = SecretStr("")

    @property
    def external(self) -> bool:
        return self.url is not None

    @property
    def dsn(self) -> str:
        if self.url is not None:
            return self.url.get_secret_value()
        return f"redis://:{quote(self.password.get_secret_value())}@127.0.0.1:{self.port}/0"


class KafkaSettings(Component):
    """The replayable log."""

    bootstrap_servers: str | None = None
    port: int = Field(default=19092, ge=1, le=65535)
    controller_port: int = Field(default=19093, ge=1, le=65535)
    topic: str = "experiments_events"
    partitions: int = Field(default=4, ge=1, le=1000)
    retention_hours: int = Field(default=168, ge=1)
    heap_megabytes: int = Field(default=320, ge=128)

    @property
    def external(self) -> bool:
        return self.bootstrap_servers is not None

    @property
    def address(self) -> str:
        return self.bootstrap_servers or f"127.0.0.1:{self.port}"


class ConnectSettings(Component):
    """Kafka Connect with the Debezium connector that carries the outbox to the topic."""

    url: str | None = None
    port: int = Field(default=18083, ge=1, le=65535)
    connector: str = "neonblue-outbox"
    slot: str = "neonblue_outbox"
    publication: str = "neonblue_outbox"
    heap_megabytes: int = Field(default=384, ge=128)

    @property
    def external(self) -> bool:
        return self.url is not None

    @property
    def address(self) -> str:
        return self.url or f"http://127.0.0.1:{self.port}"


class ClickHouseSettings(Component):
    """The rebuildable analytical copy."""

    url: str | None = None
    port: int = Field(default=18123, ge=1, le=65535)
    user: str = "neonblue"
    password: SecretStr = SecretStr("")
    readonly_user: str = "neonblue_readonly"
    readonly_password: SecretStr = SecretStr("")
    database: str = "default"
    cluster: str = ""
    kafka_group: str = "neonblue_clickhouse"

    @property
    def external(self) -> bool:
        return self.url is not None

    @property
    def address(self) -> str:
        return self.url or f"http://127.0.0.1:{self.port}"


class ApiSettings(Component):
    """The ingest and assignment service."""

    url: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    token: SecretStr = SecretStr("")
    workers: int = Field(default=1, ge=1, le=64)
    group_commit_milliseconds: float = Field(default=3.0, ge=0, le=1000)
    group_commit_connections: int = Field(default=2, ge=1, le=32)
    group_commit_items: int = Field(default=4_000, ge=1, description="the most events in one transaction")
    max_queued_bytes: int = Field(default=32 * 1024**2, ge=2 * 1024**2, description="past it: 503")
    outbox_batches: bool = Field(default=True, description="false: one outbox row for each event")
    assignment_cache_entries: int = Field(default=200_000, ge=1)
    token_cache_seconds: float = Field(default=3.0, ge=0, le=60, description="until a revocation is seen")
    session_idle_seconds: int = Field(
        default=3_600, ge=1, description="a session ends when not used for so long"
    )
    session_absolute_seconds: int = Field(
        default=12 * 3_600, ge=1, description="a session ends after so long"
    )
    rate_limit_per_second: int = Field(
        default=20_000,
        ge=0,
        le=1_000_000,
        description="requests of one token that has no limit of its own; 0: any",
    )
    rate_limit_when_unavailable: Literal["open", "closed"] = Field(
        default="open", description="without Valkey: let every request in, or none"
    )
    cors_origins: str = Field(
        default="", description="web origins whose pages may call the API, separated by commas; *: any"
    )
    outbox_retention_days: int = Field(default=7, ge=2)
    max_event_age_days: int = Field(default=90, ge=1)
    max_future_seconds: int = Field(default=300, ge=0)
    results_cache_seconds: float = Field(default=2.0, ge=0, le=60, description="how old a live result may be")
    max_pipeline_lag_bytes: int = Field(default=2 * 1024**3, ge=1024**2)
    user_id_hash_key: SecretStr = Field(
        default=SecretStr(""), description="where set, only HMAC-SHA-256 of user ids is stored anywhere"
    )
    erasure_settle_seconds: float = Field(
        default=60.0, ge=1, description="until every request under way at an erasure is stored or refused"
    )

    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="comma-separated addresses and networks whose X-Forwarded-For and -Proto are believed; *: all",
    )

    @property
    def cross_origins(self) -> list[str]:
        return [origin.strip() for origin in self.cors_origins.split(",") if origin.strip()]

    @property
    def external(self) -> bool:
        return self.url is not None

    @property
    def address(self) -> str:
        return self.url or f"http://127.0.0.1:{self.port}"


class DagsterSettings(Component):
    """The orchestrator's web page and daemon."""

    url: str | None = None
    port: int = Field(default=3000, ge=1, le=65535)
    code_port: int = Field(default=13030, ge=1, le=65535)

    @property
    def external(self) -> bool:
        return self.url is not None

    @property
    def address(self) -> str:
        return self.url or f"http://127.0.0.1:{self.port}"


class ReportsSettings(Component):
    """Where rendered reports are kept."""

    location: str | None = Field(
        default=None,
        description="a folder, or an address such as s3://bucket/reports; default: reports in the data folder",
    )


class AlertSettings(Component):
    """Who is told when a check or a run fails, or a guardrail is breached."""

    urls: tuple[SecretStr, ...] = Field(
        default=(), description="addresses as Apprise writes them: mailto://…, slack://…, json://…"
    )
    repeat_minutes: int = Field(
        default=360, ge=1, description="a lasting trouble is told again after so long"
    )


class ModelsSettings(Component):
    """A data team's own models, built after NeonBlue's."""

    project: Path | None = Field(
        default=None, description="the folder of a dbt project that has NeonBlue's as a package"
    )

    @field_validator("project")
    @classmethod
    def _absolute(cls, project: Path | None) -> Path | None:
        """Processes of the stack run in other folders."""
        return None if project is None else project.expanduser().absolute()


class RetentionSettings(Component):
    """How long the orchestrator keeps what it maintains. None: for ever."""

    events_days: int | None = Field(default=None, ge=8, description="accepted events in PostgreSQL")
    analysis_months: int | None = Field(default=None, ge=2, description="events in ClickHouse")
    heartbeat_hours: int = Field(default=24, ge=1)


class Settings(BaseSettings):
    """All components; read once at the edge and handed down."""

    model_config = SettingsConfigDict(
        env_prefix="NEONBLUE_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="ignore",
    )

    data_dir: Path = Path(".neonblue")
    cache_dir: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "neonblue"
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
    retention: RetentionSettings = RetentionSettings()
    models: ModelsSettings = ModelsSettings()

    @classmethod
    def load(cls, data_dir: Path | None = None) -> Self:
        """Settings of the stack in `data_dir` (default: ``NEONBLUE_DATA_DIR``, else ``.neonblue``).

        Raises pydantic's ``ValidationError``, which names the setting and the rule, on a value out of range.
        """
        folder = Path(data_dir or os.environ.get("NEONBLUE_DATA_DIR", ".neonblue")).absolute()
        return cls(_env_file=folder / ENVIRONMENT_FILE, data_dir=folder)  # type: ignore[call-arg]
