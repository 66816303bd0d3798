"""Settings of what keeps and carries data: PostgreSQL, Valkey, Kafka, Kafka Connect, ClickHouse."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr

from neonblue.settings.addresses import KafkaAddress, PostgresAddress, ValkeyAddress, WebAddress
from neonblue.settings.component import Component


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
    readonly_max_execution_time: int = Field(
        default=300,
        ge=1,
        le=86_400,
        description="seconds that a query of the user who reads only may take, its result's transfer included",
    )
    readonly_max_memory_usage: int | None = Field(
        default=None,
        ge=1024**2,
        description="bytes that a query of that user may take; not set: an eighth of ClickHouse's memory",
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
