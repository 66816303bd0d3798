"""Settings of what watches the platform: the exporters, Prometheus, Alertmanager."""

from __future__ import annotations

from pydantic import Field, SecretStr

from neonblue.settings.addresses import WebAddress
from neonblue.settings.component import Component

USER = "neonblue"
"""Who enters Prometheus' and Alertmanager's pages."""


def _port(default: int, of: str) -> int:
    port: int = Field(default=default, ge=1, le=65535, description=f"port of {of}")
    return port


class MonitoringSettings(Component):
    """What ``neonblue up --with monitoring`` starts beside the platform."""

    exporter_host: str = Field(
        default="127.0.0.1",
        description="address that NeonBlue's exporter listens on; 0.0.0.0: every one of this machine or container",
    )
    exporter_port: int = _port(19100, "NeonBlue's exporter, which tells of all but the API")
    prometheus_port: int = _port(19190, "Prometheus")
    alertmanager_port: int = _port(19193, "Alertmanager")
    postgres_exporter_port: int = _port(19187, "postgres_exporter")
    valkey_exporter_port: int = _port(19121, "redis_exporter")
    token: SecretStr = Field(
        default=SecretStr(""), description="what Alertmanager hands alerts to the exporter with; generated"
    )
    password: SecretStr = Field(
        default=SecretStr(""),
        description="of the user neonblue at Prometheus' and Alertmanager's pages; generated",
    )
    retention_days: int = Field(default=15, ge=1, le=3_650, description="days that Prometheus keeps samples")
    retention_megabytes: int = Field(
        default=1_024, ge=64, description="the most that Prometheus keeps, in MB, whatever their age"
    )

    grafana_url: WebAddress | None = Field(
        default=None,
        description="address of a Grafana with NeonBlue's dashboards, which the pipeline's page then links to",
    )

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password of Prometheus' and Alertmanager's pages."""
        return USER, self.password.get_secret_value()

    @property
    def external(self) -> bool:
        return False
