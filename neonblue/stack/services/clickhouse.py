"""ClickHouse: the embedded engine behind its HTTP interface."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from neonblue.clickhouse.errors import MigrationError
from neonblue.files import Folder, folder
from neonblue.settings import Settings
from neonblue.stack.errors import ServiceError, StackError
from neonblue.stack.processes import confinement
from neonblue.stack.processes.accounts import own_account
from neonblue.stack.processes.command import Account, Command
from neonblue.stack.processes.confinement import Confinement
from neonblue.stack.services import dbt_profile
from neonblue.stack.services.broken_parts import ONLY_WATCHED
from neonblue.stack.services.environment import process_environment
from neonblue.stack.services.stream_memory import StreamMemory
from neonblue.stack.supervisor import probe
from neonblue.stack.supervisor.nodes import Package, Service, Step

_ENGINE = "from neonblue.clickhouse_server.library import load; load()"
_NICE = 3
"""Queries, merges and refreshes yield to what is being stored."""
_TABLES = "SELECT name FROM system.tables WHERE database = currentDatabase() FORMAT TSVRaw"
_DNS_PORT, _KAFKA_PORT = 53, 9092


def walls(settings: Settings) -> Confinement | None:
    """What the server may open and whom it may connect to; None where it is not to be confined.

    An external Kafka's brokers are reached at ports that only they know, so with one any port may be connected to,
    unless the settings name them.
    """
    clickhouse, kafka = settings.clickhouse, settings.kafka
    if not clickhouse.confined:
        return None
    more = clickhouse.connect_ports
    connects: tuple[int, ...] | None = (
        *confinement.ports_of(kafka.address, _KAFKA_PORT),
        _DNS_PORT,
        *(more or ()),
    )
    if kafka.external and more is None:
        connects = None
    library = confinement.python_library(settings.data_dir)
    return Confinement(
        writes=(settings.data_dir / "clickhouse",),
        binds=(clickhouse.port,),
        connects=connects,
        reads=library.reads,
        lists=library.lists,
    )


class ClickHouse(Service):
    name = "clickhouse"
    place = 40
    component = "clickhouse"
    port_settings = ("port",)
    packages: ClassVar[tuple[Package, ...]] = (Package("chdb", "ClickHouse's engine", trial=_ENGINE),)
    clients = ("clickhouse_connect",)
    secrets = ("password", "readonly_password")
    secrets_used = frozenset(
        {"clickhouse_password", "clickhouse_readonly_password", "kafka_password", "kafka_clickhouse_password"}
    )
    folders = ("clickhouse",)
    # An embedded engine answers queries of those who may read only.
    secluded = True
    uses = ("kafka",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "clickhouse"
        self._account: Account | None = None

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        user = self._settings.clickhouse.system_user
        self._account = own_account(self.name, user, self._folder, Path(sys.executable))

    def command(self) -> Command:
        module = "neonblue.clickhouse_server"
        port = str(self._settings.clickhouse.port)
        return Command(
            arguments=(sys.executable, "-m", module, "--path", str(self._folder), "--port", port),
            environment=process_environment(self._settings, self),
            folder=self._folder,
            account=self._account,
            confinement=walls(self._settings),
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
    """The ingestion layer's tables and views, and the profile by which dbt reaches them.

    profile: whether dbt is run in this data folder. The profile holds the password; elsewhere none is left.
    While one of them was gone, messages were read that it did not get: they are published again, also where it, or all
    of ClickHouse's data, was lost while the stack was down.
    """

    name = "clickhouse-schema"
    place = 45
    requires = ("clickhouse", "topics")
    watch_seconds = 5.0

    def __init__(self, settings: Settings, *, profile: bool = True) -> None:
        self._settings = settings
        self._profile = profile
        self._memory = StreamMemory(settings.data_dir)
        self._migrations: list[Any] | None = None
        self._missing: list[str] = []

    def run(self) -> None:
        if self._profile:
            dbt_profile.write(self._settings)
        else:
            (dbt_profile.profile_folder(self._settings.data_dir) / dbt_profile.PROFILE).unlink(
                missing_ok=True
            )
        migrations = _migrations()
        try:
            migrations.migrate(self._settings, self._note_loss)
        except MigrationError as error:
            raise StackError(str(error)) from error
        self._memory.clickhouse_is(migrations.identity(self._settings))

    def _note_loss(self, identity: str, gone: list[str]) -> None:
        """Before anything is made again: from then on nothing would show that it was lost."""
        remembered = self._memory.read().clickhouse
        if remembered and identity != remembered:
            self._memory.repair("ClickHouse's data are not those that were there before")
        elif lacked := [name for name in gone if name not in ONLY_WATCHED]:
            self._memory.repair(f"ClickHouse lacked {', '.join(lacked)}")

    def check(self) -> None:
        """Every table and view of the migrations is there."""
        self._missing = []
        self._missing = self._look()
        if self._missing:
            raise ServiceError(self.name, f"missing in ClickHouse: {', '.join(self._missing)}")

    def mend(self) -> None:
        """Where ClickHouse itself is away there is nothing to mend."""
        if self._missing:
            self.run()

    def _look(self) -> list[str]:
        present = probe.clickhouse(self._settings.clickhouse, _TABLES)
        if self._migrations is None:
            self._migrations = _migrations().read_migrations(folder(Folder.CLICKHOUSE))
        missing: list[str] = _migrations().missing(self._migrations, present)
        return missing


def _migrations() -> ModuleType:
    """Its packages are loaded when they are needed."""
    return import_module("neonblue.clickhouse.migrations")
