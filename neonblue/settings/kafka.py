"""Settings of Kafka, and how each part of the platform signs in to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from neonblue.settings.addresses import KafkaAddress
from neonblue.settings.component import ServiceSettings

Part = Literal["admin", "connect", "clickhouse", "api", "dagster", "monitoring"]
"""What signs in: the stack itself and its owner's commands, or one service."""
PARTS: tuple[Part, ...] = ("admin", "connect", "clickhouse", "api", "dagster", "monitoring")
_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


class KafkaSettings(ServiceSettings):
    """The replayable log."""

    given_by = "bootstrap_servers"

    bootstrap_servers: KafkaAddress | None = Field(
        default=None,
        description="an external Kafka, host:port separated by commas; given: none is started",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how an external Kafka is spoken to"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="how every part signs in to an external Kafka with SASL"
    )
    user: str = Field(default="", description="who every part signs in to an external Kafka as")
    password: SecretStr = Field(default=SecretStr(""), description="password of that user")
    ssl_ca_location: Path | None = Field(
        default=None,
        description="file of certificates (PEM) that an external Kafka's is checked against; none: the system's",
    )
    port: int = Field(default=19092, ge=1, le=65535, description="port of the stack's Kafka")
    controller_port: int = Field(default=19093, ge=1, le=65535, description="port of its controller")
    admin_password: SecretStr = Field(
        default=SecretStr(""), description="password of neonblue-admin on the stack's Kafka, who may do all"
    )
    connect_password: SecretStr = Field(
        default=SecretStr(""), description="password of neonblue-connect, who alone writes to the topic"
    )
    clickhouse_password: SecretStr = Field(
        default=SecretStr(""), description="password of neonblue-clickhouse, who reads the topic"
    )
    api_password: SecretStr = Field(
        default=SecretStr(""),
        description="password of neonblue-api, who looks at the topic's oldest message and ClickHouse's lag",
    )
    dagster_password: SecretStr = Field(
        default=SecretStr(""), description="password of neonblue-dagster, who looks at ClickHouse's lag"
    )
    monitoring_password: SecretStr = Field(
        default=SecretStr(""), description="password of neonblue-monitoring, who looks at it for Prometheus"
    )
    topic: str = Field(
        default="experiments_events",
        pattern=r"^[A-Za-z0-9._-]{1,249}$",
        description="topic that carries the outbox",
    )
    partitions: int = Field(
        default=4, ge=1, le=1000, description="partitions of the topic; a larger number adds some"
    )
    retention_hours: int = Field(default=168, ge=1, description="how long the topic keeps messages")
    retention_gigabytes: int = Field(
        default=100,
        ge=0,
        description="the most that the topic keeps, in GB (10^9 bytes), whether ClickHouse has read it or not; 0: any",
    )
    heap_megabytes: int = Field(default=320, ge=128, description="Java's heap of Kafka, in MB")

    @field_validator("ssl_ca_location")
    @classmethod
    def _absolute(cls, location: Path | None) -> Path | None:
        """Processes of the stack run in other folders."""
        return None if location is None else location.expanduser().absolute()

    @model_validator(mode="after")
    def _names_who_signs_in(self) -> Self:
        if self.external and self.security_protocol.startswith("SASL") and not self.user:
            raise ValueError(
                f"with {self.security_protocol} a NEONBLUE_KAFKA_USER and its NEONBLUE_KAFKA_PASSWORD"
            )
        return self

    @property
    def address(self) -> str:
        return self.bootstrap_servers or f"127.0.0.1:{self.port}"

    @property
    def heartbeat_topic(self) -> str:
        """Carries the stream's heartbeats, beside the connector's own: as the connector's configuration names it."""
        return "neonblue_heartbeat.neonblue"

    def user_of(self, part: Part) -> str:
        """Who a part signs in as: on the stack's Kafka each as a user of its own."""
        return self.user if self.external else f"neonblue-{part}"

    def password_of(self, part: Part) -> str:
        """The password of `user_of`; '' where this process was not given it."""
        secret: SecretStr = self.password if self.external else getattr(self, f"{part}_password")
        return secret.get_secret_value()

    def client(self, part: Part) -> dict[str, str]:
        """librdkafka's options by which a part reaches Kafka: address, protocol, user, password."""
        return {"bootstrap.servers": self.address} | self.security(part)

    def security(self, part: Part) -> dict[str, str]:
        """librdkafka's options of `client` without the address."""
        if not self.external:
            # The embedded ClickHouse engine's librdkafka is built with PLAIN alone.
            mechanism = "PLAIN" if part == "clickhouse" else "SCRAM-SHA-512"
            return sasl(self.user_of(part), self.password_of(part), mechanism)
        options: dict[str, str] = {"security.protocol": self.security_protocol}
        if self.security_protocol.startswith("SASL"):
            options = sasl(self.user, self.password_of(part), self.sasl_mechanism, self.security_protocol)
        if self.security_protocol.endswith("SSL") and self.ssl_ca_location is not None:
            options["ssl.ca.location"] = str(self.ssl_ca_location)
        return options


def sasl(
    user: str, password: str, mechanism: str = "SCRAM-SHA-512", protocol: str = "SASL_PLAINTEXT"
) -> dict[str, str]:
    """librdkafka's options for signing in; the defaults are those of the stack's Kafka."""
    return {
        "security.protocol": protocol,
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": password,
    }


def in_java(options: Mapping[str, str]) -> dict[str, str]:
    """librdkafka's options for security as Kafka's own clients, in Java, take them."""
    given = {"security.protocol": options["security.protocol"]}
    if mechanism := options.get("sasl.mechanism"):
        given["sasl.mechanism"] = mechanism
        given["sasl.jaas.config"] = (
            f"{_LOGIN_MODULES[mechanism]} required "
            f"username={jaas_string(options['sasl.username'])} password={jaas_string(options['sasl.password'])};"
        )
    if location := options.get("ssl.ca.location"):
        given |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": location}
    return given


def jaas_string(value: str) -> str:
    """A quoted string of a JAAS configuration, which is read as Java's source is."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
