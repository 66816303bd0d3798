"""Settings of the traces that are sent to a collector."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from neonblue.settings.addresses import WebAddress
from neonblue.settings.component import Component

_PATH = "/v1/traces"


class TracesSettings(Component):
    """Traces by OpenTelemetry; off unless an address is given."""

    endpoint: WebAddress | None = Field(
        default=None,
        description="a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318; none: no traces",
    )
    sample_ratio: float = Field(
        default=0.01, ge=0, le=1, description="which part of the requests is traced; runs always are"
    )
    queue_spans: int = Field(
        default=4096,
        ge=64,
        le=1_000_000,
        description="spans that a process holds for a slow collector; further ones are dropped and counted",
    )

    @field_validator("endpoint")
    @classmethod
    def _without_credentials(cls, endpoint: str | None) -> str | None:
        parts = urlsplit(endpoint or "")
        if parts.query or parts.fragment:
            raise ValueError(
                "an address without a query: what a vendor asks for is added by a collector nearby"
            )
        if "@" in parts.netloc:
            raise ValueError(
                "an address without user and password: a collector nearby adds what a vendor asks for"
            )
        return endpoint

    @property
    def address(self) -> str | None:
        """Where the spans are posted."""
        if self.endpoint is None:
            return None
        path = urlsplit(self.endpoint).path
        return self.endpoint if path.strip("/") else self.endpoint.rstrip("/") + _PATH
