"""Settings of the orchestrator, and of what it makes, tells and maintains."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from neonblue.settings.addresses import WebAddress
from neonblue.settings.component import Component, WebServiceSettings


class DagsterSettings(WebServiceSettings):
    """The orchestrator's web page and daemon."""

    url: WebAddress | None = Field(
        default=None, description="a Dagster that runs elsewhere; given: none is started"
    )
    host: str = Field(
        default="127.0.0.1",
        description="address that Dagster's page listens on; 0.0.0.0: every one of this machine",
    )
    port: int = Field(default=3000, ge=1, le=65535, description="port of Dagster's page")
    token: SecretStr = Field(
        default=SecretStr(""), description="what the stack's own calls to Dagster's page carry; generated"
    )
    page_secret: SecretStr = Field(
        default=SecretStr(""),
        description="what Dagster's page shows the API, which then believes whose address it names; generated",
    )
    public_url: WebAddress | None = Field(
        default=None,
        description="address under which a proxy shows Dagster's page, such as https://dagster.example.com",
    )

    @property
    def page(self) -> str:
        """Where people find it."""
        return (self.public_url or self.address).rstrip("/")

    def run_page(self, run_id: str) -> str:
        """Where people find a run."""
        return f"{self.page}/runs/{run_id}"

    @property
    def authorization(self) -> dict[str, str]:
        """The header field of the stack's own calls."""
        secret = self.token.get_secret_value()
        return {"authorization": f"Bearer {secret}"} if secret else {}


class ReportsSettings(Component):
    """Where rendered reports are kept."""

    location: str | None = Field(
        default=None,
        description="a folder, or an address such as s3://bucket/reports; default: reports in the data folder",
    )


class AlertSettings(Component):
    """Who is told when a check or a run fails, a guardrail is breached, or the stack or its stream is unwell."""

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
    """How long the orchestrator keeps what it maintains. What an experiment that is not decided needs stays longer.

    But for Dagster's runs, what grew before a setting goes 30 days after it was announced.
    """

    events_days: int = Field(
        default=0,
        ge=0,
        description="days that PostgreSQL keeps accepted events, at least 8 and 2 more than "
        "NEONBLUE_API_MAX_EVENT_AGE_DAYS; 0: all",
    )
    analysis_months: int = Field(
        default=0,
        ge=0,
        description="months that ClickHouse keeps events, at least 2, and those whose days PostgreSQL keeps; 0: all",
    )
    heartbeat_hours: int = Field(
        default=24, ge=1, description="hours that the stream's heartbeats are kept in PostgreSQL"
    )
    runs_days: int = Field(
        default=60,
        ge=45,
        description="days that Dagster keeps finished runs, their events and output; each asset's newest run stays",
    )
    reports_days: int = Field(
        default=400,
        ge=0,
        description="days that rendered reports are kept; each experiment's newest stays; 0: all",
    )
    audit_days: int = Field(
        default=730, ge=0, description="days that the audit log is kept, at least 30; 0: for ever"
    )

    @field_validator("events_days", "analysis_months", "audit_days")
    @classmethod
    def _not_too_short(cls, given: int, field: ValidationInfo) -> int:
        least = _LEAST[field.field_name or ""]
        if 0 < given < least:
            raise ValueError(f"a number of {least} or more, or 0, which keeps all,")
        return given


_LEAST = {"events_days": 8, "analysis_months": 2, "audit_days": 30}
