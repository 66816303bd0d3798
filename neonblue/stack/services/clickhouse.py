"""ClickHouse: the embedded engine behind its HTTP interface."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

from neonblue.settings import Settings
from neonblue.stack import dbt_profile, probe
from neonblue.stack.environment import process_environment
from neonblue.stack.nodes import Service, Step
from neonblue.stack.ports import PortUse
from neonblue.stack.process import Command

_NICE = 3
"""Queries, merges and refreshes yield to what is being stored."""


class ClickHouse(Service):
    name = "clickhouse"
    uses = ("kafka",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "clickhouse"

    def ports(self) -> tuple[PortUse, ...]:
        return (PortUse(self._settings.clickhouse.port, self.name, "NEONBLUE_CLICKHOUSE_PORT"),)

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)

    def command(self) -> Command:
        module = "neonblue.stack.clickhouse_server"
        port = str(self._settings.clickhouse.port)
        return Command(
            arguments=(sys.executable, "-m", module, "--path", str(self._folder), "--port", port),
            environment=process_environment(self._settings, self.name),
            folder=self._folder,
            nice=_NICE,
        )

    def answer(self, seconds: float) -> None:
        """Not a query: that may wait for its turn behind long ones."""
        probe.responds(f"{self._settings.clickhouse.address}/ping", seconds)

    def check(self) -> None:
        """SELECT 1, as the user that everything else uses."""
        clickhouse = self._settings.clickhouse
        credentials = (clickhouse.user, clickhouse.password.get_secret_value())
        probe.get(f"{clickhouse.address}/ping")
        probe.get(clickhouse.address, params={"query": "SELECT 1"}, auth=credentials)


class ClickHouseSchema(Step):
    """The ingestion layer's tables and views, and the profile by which dbt reaches them."""

    name = "clickhouse-schema"
    requires = ("clickhouse", "topics")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def run(self) -> None:
        dbt_profile.write(self._settings)
        if find_spec("neonblue.stack.clickhouse_migrations") is not None:
            import_module("neonblue.stack.clickhouse_migrations").migrate(self._settings)
