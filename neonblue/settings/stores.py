"""Settings of what keeps and carries data, beside PostgreSQL and Kafka: Valkey, Kafka Connect, ClickHouse."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr

from neonblue.settings.addresses import Endpoint, ValkeyAddress, WebAddress, endpoint
from neonblue.settings.component import ServiceSettings, WebServiceSettings


class ValkeySettings(ServiceSettings):
    """Assignment cache, sessions, rate limits: nothing that cannot be lost."""

    url: ValkeyAddress | None = Field(
        default=None,
        description="an external Valkey or Redis, redis://:password@host:6379/0; given: none is started",
    )
    port: int = Field(default=16379, ge=1, le=65535, description="port of the stack's Valkey")
    password: SecretStr = Field(default=SecretStr(""), description="password of the stack's Valkey")

    @property
    def dsn(self) -> str:
        if self.url is not None:
            return self.url.get_secret_value()
        return f"redis://:{quote(self.password.get_secret_value(), safe='')}@127.0.0.1:{self.port}/0"


class ConnectSettings(WebServiceSettings):
    """Kafka Connect with the Debezium connector that carries the outbox to the topic."""

    url: WebAddress | None = Field(
        default=None,
        description="an external Kafka Connect that has Debezium, with user:password@ where it asks for them; "
        "given: none is started",
    )
    port: int = Field(default=18083, ge=1, le=65535, description="port of the stack's Kafka Connect")
    user: str = Field(
        default="neonblue",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="the only one who may call the stack's Kafka Connect",
    )
    password: SecretStr = Field(default=SecretStr(""), description="password of that user")
    connector: str = Field(
        default="neonblue-outbox",
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="name of the Debezium connector",
    )
    slot: str = Field(
        default="neonblue_outbox", pattern=r"^[a-z0-9_]{1,63}$", description="replication slot in PostgreSQL"
    )
    slot_failover: bool = Field(
        default=False,
        description="whether standbys of PostgreSQL (17 or later) keep the slot too; asked where the slot is made",
    )
    publication: str = Field(default="neonblue_outbox", description="publication in PostgreSQL")
    heap_megabytes: int = Field(default=384, ge=128, description="Java's heap of Kafka Connect, in MB")

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User and password of the stack's own; an external one has them in its address."""
        return None if self.external else (self.user, self.password.get_secret_value())


class ClickHouseSettings(WebServiceSettings):
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
    system_user: str = Field(
        default="neonblue-clickhouse", description="runs ClickHouse where root starts the stack"
    )
    confined: bool = Field(
        default=True,
        description="holds ClickHouse's process to its own folder and ports, where the kernel has Landlock",
    )
    connect_ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] | None = Field(
        default=None,
        description="TCP ports that a confined ClickHouse may connect to besides Kafka's and DNS's; "
        "default: none, with an external Kafka any",
    )

    @property
    def endpoint(self) -> Endpoint:
        """Where its HTTP interface is."""
        return endpoint(self.url or f"http://127.0.0.1:{self.port}", port=8123, secure_port=8443)

    @property
    def address(self) -> str:
        """The same for what takes an address: it always names the port, since HTTP's own is not ClickHouse's."""
        if self.url is None or urlsplit(self.url).port is not None:
            return super().address
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{parts.netloc}:{self.endpoint.port}").geturl()
