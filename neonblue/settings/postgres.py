"""Settings of PostgreSQL, and the roles that NeonBlue's parts have in it."""

from __future__ import annotations

from enum import StrEnum
from typing import Self
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr

from neonblue.settings.addresses import PostgresAddress
from neonblue.settings.component import ServiceSettings


class Role(StrEnum):
    """Who connects to PostgreSQL. Each is a role of its own there, with what it does and no more."""

    API = "api"
    CDC = "cdc"
    DAGSTER = "dagster"
    ORCHESTRATION = "orchestration"
    SUPERVISOR = "supervisor"
    READER = "reader"
    MONITORING = "monitoring"

    @property
    def login(self) -> str:
        """What it is called in PostgreSQL."""
        return f"neonblue_{self}"


def _password(who: str) -> SecretStr:
    password: SecretStr = Field(
        default=SecretStr(""), description=f"of {who}, in the stack's PostgreSQL; made at the first start"
    )
    return password


def _address(who: str) -> PostgresAddress | None:
    address: PostgresAddress | None = Field(
        default=None, description=f"the external PostgreSQL for {who}; not given: as for the API"
    )
    return address


class PostgresSettings(ServiceSettings):
    """The source of truth for what was accepted."""

    url: PostgresAddress | None = Field(
        default=None,
        description="an external PostgreSQL, postgresql://user:password@host/database; given: none is started",
    )
    cdc_url: PostgresAddress | None = _address("Debezium")
    dagster_url: PostgresAddress | None = _address("Dagster's storage")
    orchestration_url: PostgresAddress | None = _address("the jobs")
    host: str = Field(default="127.0.0.1", description="where the stack's PostgreSQL is reached")
    port: int = Field(default=15432, ge=1, le=65535, description="port of the stack's PostgreSQL")
    user: str = Field(
        default="neonblue", description="superuser of the stack's PostgreSQL, for its start and for people"
    )
    password: SecretStr = Field(default=SecretStr(""), description="password of that user")
    api_password: SecretStr = _password("neonblue_api, who owns the tables")
    cdc_password: SecretStr = _password("neonblue_cdc, who reads the outbox")
    dagster_password: SecretStr = _password("neonblue_dagster, who owns Dagster's database")
    orchestration_password: SecretStr = _password("neonblue_orchestration, as whom the jobs read")
    supervisor_password: SecretStr = _password("neonblue_supervisor, who looks after the replication slot")
    reader_password: SecretStr = _password("neonblue_reader, who reads only: queries by hand and BI tools")
    monitoring_password: SecretStr = _password("neonblue_monitoring, who reads the server's statistics only")
    database: str = Field(default="neonblue", description="database of the platform")
    dagster_database: str = Field(default="dagster", description="database of Dagster, on the same server")
    system_user: str = Field(default="neonblue", description="runs PostgreSQL where root starts the stack")

    def acting(self, role: Role) -> Self:
        """These settings, to connect as `role`, and without what any other role connects with.

        As they are where nothing is known of the role: in its own processes, and on an external server that has none.
        """
        if self.url is not None:
            own = getattr(self, f"{role}_url", None) or self.url
            credentials: dict[str, object] = {"url": own, "password": SecretStr("")}
        else:
            password = self.password_of(role)
            known = bool(password.get_secret_value())
            credentials = {"user": role.login, "password": password} if known else {}
        others = {f"{one}_password": SecretStr("") for one in Role}
        return self.model_copy(
            update={"cdc_url": None, "dagster_url": None, "orchestration_url": None} | others | credentials
        )

    def password_of(self, role: Role) -> SecretStr:
        """The role's password in the stack's PostgreSQL; empty where it is not known."""
        password: SecretStr = getattr(self, f"{role}_password")
        return password

    def dsn(self, database: str | None = None) -> str:
        """The libpq address, of `database` where given (on an external server: of that server's database)."""
        if self.url is not None:
            given = self.url.get_secret_value()
            path = f"/{quote(database or '', safe='')}"
            return given if database is None else urlsplit(given)._replace(path=path).geturl()
        credentials = f"{quote(self.user, safe='')}:{quote(self.password.get_secret_value(), safe='')}"
        name = quote(database or self.database, safe="")
        return f"postgresql://{credentials}@{self.host}:{self.port}/{name}"
