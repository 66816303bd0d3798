"""Settings of the API."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from neonblue.settings.addresses import Network, Proxies, WebAddress, networks_of
from neonblue.settings.component import WebServiceSettings


class ApiSettings(WebServiceSettings):
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
        default=7,
        ge=2,
        description="days of the outbox that PostgreSQL keeps, and longer what is not published",
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
    audit_summary_seconds: float = Field(
        default=60.0,
        ge=1,
        le=3_600,
        description="reads and refused calls of so long share one entry of the audit log, in each process",
    )

    trusted_proxies: Proxies = Field(
        default="",
        description="comma-separated addresses and networks of proxies whose X-Forwarded-For and -Proto are believed; "
        "*: anybody's, where nothing but a proxy can connect",
    )
    visitor_limit_per_second: int = Field(
        default=500,
        ge=0,
        le=1_000_000,
        description="requests of one address (IPv6: /64) with a publishable token, beside the token's own; 0: any",
    )
    wrong_tokens_per_minute: int = Field(
        default=60,
        ge=1,
        description="wrong tokens of one address (IPv6: /64); past them only valid tokens go on, the others get 429",
    )
    max_connections: int = Field(
        default=4_096, ge=16, description="open connections to one process; past them, new ones get 503"
    )
    max_connections_per_address: int = Field(
        default=2_048, ge=1, description="of them from one address, unless it is one of the trusted proxies"
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
    def proxy_networks(self) -> list[Network]:
        """The trusted proxies; none in particular where everybody is."""
        return networks_of(self.trusted_proxies)
