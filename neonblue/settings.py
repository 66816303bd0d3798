"""Every setting of NeonBlue, typed, with one prefix (``NEONBLUE_``) and one source of defaults.

A setting comes, in this order, from the environment, from ``<data-dir>/neonblue.env`` (which ``neonblue up``
writes: addresses and generated secrets), from the defaults below. ``NEONBLUE_POSTGRES_PORT`` sets
``Settings.postgres.port``. A service whose address (``url``, ``bootstrap_servers``) is given is an external
one: the stack neither starts nor stops it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

import pydantic_settings
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from neonblue.settings_faults import SettingsError as SettingsError
from neonblue.settings_faults import Unknown, given_variables, not_json, sentences, unknown_variables

ENVIRONMENT_FILE = "neonblue.env"


def _address(*schemes: str, such_as: str) -> AfterValidator:
    """Takes an address of one of these schemes, with a host. The error is the rule in words."""

    def check(value: str | SecretStr) -> str | SecretStr:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        try:
            parts = urlsplit(text)
            good = parts.scheme in schemes and bool(parts.netloc or parts.query) and parts.port != 0
        except ValueError:
            good = False
        if not good or any(letter.isspace() for letter in text):
            raise ValueError(f"an address such as {such_as}")
        return value

    return AfterValidator(check)


WebAddress = Annotated[str, _address("http", "https", such_as="http://127.0.0.1:8123")]
PostgresAddress = Annotated[
    SecretStr, _address("postgresql", such_as="postgresql://user:password@host:5432/database")
]
ValkeyAddress = Annotated[
    SecretStr, _address("redis", "rediss", "unix", such_as="redis://:password@host:6379/0")
]
KafkaAddress = Annotated[str, Field(pattern=r"^\S+:\d+$")]


class Component(BaseModel):
    """Settings of one component: immutable. Unknown names are left out here, and told by `Settings.unknown`."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PostgresSettings(Component):
    """The source of truth for what was accepted."""

    url: PostgresAddress | None = Field(
        default=None,
        description="an external PostgreSQL, postgresql://user:password@host/database; given: none is started",
    )
    host: str = Field(default="127.0.0.1", description="where the stack's PostgreSQL is reached")
    port: int = Field(default=15432, ge=1, le=65535, description="port of the stack's PostgreSQL")
    user: str = Field(default="neonblue", description="who the platform connects as")
    password: SecretStr = Field(default=SecretStr(""), description="password of that user")
    database: str = Field(default="neonblue", description="database of the platform")
    dagster_database: str = Field(default="dagster", description="database of Dagster, on the same server")
    system_user: str = Field(default="neonblue", description="runs PostgreSQL where root starts the stack")

    @property
    def external(self) -> bool:
        return self.url is not None

    def dsn(self, database: str | None = None) -> str:
        """The libpq address, of `database` where given (on an external server: of that server's database)."""
        if self.url is not None:
            given = self.url.get_secret_value()
            path = f"/{quote(database or '', safe='')}"
            return given if database is None else urlsplit(given)._replace(path=path).geturl()
        credentials = f"{quote(self.user, safe='')}:{quote(self.password.get_secret_value(), safe='')}"
        name = quote(database or self.database, safe="")
        return f"postgresql://{credentials}@{self.host}:{self.port}/{name}"


class ValkeySettings(Component):
    """Assignment cache, sessions, rate limits: nothing that cannot be lost."""

    url: ValkeyAddress | None = Field(
        default=None,
        description="an external Valkey or Redis, redis://:password@host:6379/0; given: none is started",
    )
    port: int = Field(default=16379, ge=1, le=65535, description="port of the stack's Valkey")
    password: SecretStr = Field(default=SecretStr(""), description="password of the stack's Valkey")

    @property
    def external(self) -> bool:
        return self.url is not None

    @property
    def dsn(self) -> str:
        if self.url is not None:
            return self.url.get_secret_value()
        return f"redis://:{quote(self.password.get_secret_value(), safe='')}@127.0.0.1:{self.port}/0"


class KafkaSettings(Component):
    """The replayable log."""

    bootstrap_servers: KafkaAddress | None = Field(
        default=None,
        description="an external Kafka, host:port separated by commas; given: none is started",
    )
    port: int = Field(default=19092, ge=1, le=65535, description="port of the stack's Kafka")
    controller_port: int = Field(default=19093, ge=1, le=65535, description="port of its controller")
    topic: str = Field(
        default="experiments_events",
        pattern=r"^[A-Za-z0-9._-]{1,249}$",
        description="topic that carries the outbox",
    )
    partitions: int = Field(
        default=4, ge=1, le=1000, description="partitions of the topic; a larger number adds some"
    )
    retention_hours: int = Field(default=168, ge=1, description="how long the topic keeps messages")
    heap_megabytes: int = Field(default=320, ge=128, description="Java's heap of Kafka, in MB")

    @property
    def external(self) -> bool:
        return self.bootstrap_servers is not None

    @property
    def address(self) -> str:
        return self.bootstrap_servers or f"127.0.0.1:{self.port}"


class ConnectSettings(Component):
    """Kafka Connect with the Debezium connector that carries the outbox to the topic."""

    url: WebAddress | None = Field(
        default=None,
        description="an external Kafka Connect that has Debezium; given: none is started",
    )
    port: int = Field(default=18083, ge=1, le=65535, description="port of the stack's Kafka Connect")
    connector: str = Field(
        default="neonblue-outbox",
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="name of the Debezium connector",
    )
    slot: str = Field(
        default="neonblue_outbox", pattern=r"^[a-z0-9_]{1,63}$", description="replication slot in PostgreSQL"
    )
    publication: str = Field(default="neonblue_outbox", description="publication in PostgreSQL")
    heap_megabytes: int = Field(default=384, ge=128, description="Java's heap of Kafka Connect, in MB")

    @property
    def external(self) -> bool:
        return self.url is not None

    @property
    def address(self) -> str:
        return self.url or f"http://127.0.0.1:{self.port}"


class ClickHouseSettings(Component):
    """The rebuildable analytical copy."""

    url: WebAddress | None = Field(
        default=None, description="an external ClickHouse's HTTP interface; given: none is started"
    )
    port: int = Field(default=18123, ge=1, le=65535, description="port of the stack's ClickHouse, HTTP")
    user: str = Field(default="neonblue", description="who the platform connects as")
    password: SecretStr = Field(default=SecretStr(""), description="password of that user")
    readonly_user: str = Field(
        default="neonblue_readonly", description="who reads only: queries by hand and BI tools"
    )
    readonly_password: SecretStr = Field(
        default=SecretStr(""), description="password of the user who reads only"
    )
    database: str = Field(default="default", description="database of the ingestion layer and the models")
    cluster: str = Field(
        default="",
        description="name of an external server's cluster: tables are made on all of it; empty: one server",
    )
    kafka_group: str = Field(default="neonblue_clickhouse", description="consumer group that reads the topic")

    @property
    def external(self) -> bool:
        return self.url is not None

    @property
    def address(self) -> str:
        return self.url or f"http://127.0.0.1:{self.port}"


class ApiSettings(Component):
    """The ingest and assignment service."""

    url: WebAddress | None = Field(
        default=None, description="an API that runs elsewhere; given: none is started"
    )
    host: str = Field(
        default="127.0.0.1", description="address that the API listens on; 0.0.0.0: every one of this machine"
    )
    port: int = Field(default=8000, ge=1, le=65535, description="port of the API")
    token: SecretStr = Field(
        default=SecretStr(""), description="first administrator's token, and the one that the commands use"
    )
    workers: int = Field(default=1, ge=1, le=64, description="processes of the API")
    group_commit_milliseconds: float = Field(
        default=3.0, ge=0, le=1000, description="how long an event waits for others to share its transaction"
    )
    group_commit_connections: int = Field(
        default=2, ge=1, le=32, description="transactions of events at the same time, in each process"
    )
    group_commit_items: int = Field(default=4_000, ge=1, description="the most events in one transaction")
    max_queued_bytes: int = Field(
        default=32 * 1024**2,
        ge=2 * 1024**2,
        description="events that wait to be stored; past it they are answered 503",
    )
    outbox_batches: bool = Field(
        default=True, description="events of one commit share outbox rows; false: one row each"
    )
    assignment_cache_entries: int = Field(
        default=200_000, ge=1, description="units whose variants a process keeps in memory"
    )
    token_cache_seconds: float = Field(
        default=3.0, ge=0, le=60, description="until every process sees a revocation"
    )
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
    outbox_retention_days: int = Field(
        default=7, ge=2, description="days of the outbox that PostgreSQL keeps"
    )
    max_event_age_days: int = Field(default=90, ge=1, description="an event older than this is rejected")
    max_future_seconds: int = Field(
        default=300, ge=0, description="an event further ahead of the clock than this is rejected"
    )
    results_cache_seconds: float = Field(
        default=2.0, ge=0, le=60, description="how old a live result may be, in seconds"
    )
    max_pipeline_lag_bytes: int = Field(
        default=2 * 1024**3,
        ge=1024**2,
        description="of the log that the connector has not read yet: past it, events are answered 429",
    )
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

    @model_validator(mode="before")
    @classmethod
    def _drop_own_address(cls, given: Any) -> Any:
        """The stack's own address, as ``neonblue env`` exports it, makes no API that runs elsewhere."""
        if not isinstance(given, dict):
            return given
        port = given.get("port", cls.model_fields["port"].default)
        if given.get("url") != f"http://127.0.0.1:{port}":
            return given
        return {name: value for name, value in given.items() if name != "url"}

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

    url: WebAddress | None = Field(
        default=None, description="a Dagster that runs elsewhere; given: none is started"
    )
    port: int = Field(default=3000, ge=1, le=65535, description="port of Dagster's page")
    code_port: int = Field(default=13030, ge=1, le=65535, description="port of its code server")

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

    events_days: int | None = Field(
        default=None, ge=8, description="days that PostgreSQL keeps accepted events; not given: all"
    )
    analysis_months: int | None = Field(
        default=None, ge=2, description="months that ClickHouse keeps events; not given: all"
    )
    heartbeat_hours: int = Field(
        default=24, ge=1, description="hours that the stream's heartbeats are kept in PostgreSQL"
    )


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
    retention: RetentionSettings = RetentionSettings()
    models: ModelsSettings = ModelsSettings()

    @classmethod
    def load(cls, data_dir: Path | None = None) -> Self:
        """Settings of the stack in `data_dir` (default: ``NEONBLUE_DATA_DIR``, else ``.neonblue``).

        A variable that is empty counts as not set. Raises ``SettingsError`` with a sentence for each value that
        breaks a rule, and where the folder's ``neonblue.env`` can't be read.
        """
        folder = folder_of(data_dir)
        file = folder / ENVIRONMENT_FILE
        given = given_variables(file)
        try:
            loaded = cls(_env_file=file, data_dir=folder)  # type: ignore[call-arg]
        except ValidationError as error:
            raise SettingsError("\n".join(sentences(cls, error, given))) from None
        except pydantic_settings.exceptions.SettingsError as error:
            raise SettingsError("\n".join(not_json(cls, given)) or str(error)) from None
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
