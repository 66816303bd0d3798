"""Kafka Connect."""

from __future__ import annotations

import shutil
from typing import Any

from neonblue.files import write_private
from neonblue.settings import ConnectSettings, Role, Settings
from neonblue.stack.jvm import jars, java
from neonblue.stack.processes.command import Command
from neonblue.stack.services import kafka_access, templates
from neonblue.stack.services.environment import process_environment
from neonblue.stack.services.kafka import jar_cache
from neonblue.stack.services.stream_memory import StreamMemory
from neonblue.stack.supervisor import probe
from neonblue.stack.supervisor.nodes import Service

_CONFIGURATION = "worker.properties"
_LOGIN = "login.conf"
_USERS = "users.properties"


def database_variables(settings: Settings) -> dict[str, str]:
    """Where Debezium finds PostgreSQL: the variables that the connector's configuration names."""
    from psycopg.conninfo import conninfo_to_dict

    address = conninfo_to_dict(settings.postgres.acting(Role.CDC).dsn())
    return {
        "NEONBLUE_CDC_HOST": str(address.get("host", "127.0.0.1")),
        "NEONBLUE_CDC_PORT": str(address.get("port", 5432)),
        "NEONBLUE_CDC_USER": str(address.get("user", "")),
        "NEONBLUE_CDC_PASSWORD": str(address.get("password", "")),
        "NEONBLUE_CDC_DATABASE": str(address.get("dbname", "")),
        "NEONBLUE_CDC_SSLMODE": str(address.get("sslmode", "prefer")),
    }


def credentials(connect: ConnectSettings) -> dict[str, Any]:
    """What a call to Kafka Connect must say of its caller. An external one's address says it."""
    return {} if connect.credentials is None else {"auth": connect.credentials}


class Connect(Service):
    name = "connect"
    place = 50
    component = "connect"
    port_settings = ("port",)
    secrets = ("password",)
    secrets_if_external = False
    folders = ("connect",)
    knows_settings = False
    requires = ("jars", "kafka", "topics")
    uses = ("postgres",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "connect"
        self._memory = StreamMemory(settings.data_dir)
        self._topics: dict[str, str] = {}

    def prepare(self) -> None:
        self._topics = self._own_topics()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        java.prepare(self._folder, jar_cache(self._settings))
        worker = templates.worker(self._settings, java.JARS / self._jars().plugin_path)
        write_private(self._folder / _CONFIGURATION, worker)
        write_private(self._folder / _LOGIN, templates.connect_login())
        write_private(self._folder / _USERS, templates.connect_users(self._settings))
        if (certificates := self._settings.kafka.ssl_ca_location) is not None:
            shutil.copyfile(certificates, self._folder / templates.KAFKA_CERTIFICATES)

    def _jars(self) -> jars.Jars:
        return jars.ensure(jar_cache(self._settings), jars.locked())

    def command(self) -> Command:
        return Command(
            arguments=java.arguments(
                "org.apache.kafka.connect.cli.ConnectDistributed",
                _CONFIGURATION,
                self._jars().class_path,
                self._settings.connect.heap_megabytes,
                [f"java.security.auth.login.config={_LOGIN}"],
            ),
            environment=process_environment(self._settings, self)
            | database_variables(self._settings)
            | java.ENVIRONMENT,
            folder=self._folder,
            confinement=java.confinement(
                self._folder, jar_cache(self._settings), [self._settings.connect.port], self._servers()
            ),
        )

    def _servers(self) -> list[int] | None:
        """The ports that it connects to; None, any, where a server is somebody else's."""
        if self._settings.kafka.external or self._settings.postgres.external:
            return None
        return [self._settings.kafka.port, self._settings.postgres.port]

    def outdated(self) -> str:
        """It keeps in memory what was on its topics, and where it had read to: of topics made anew it sees nothing."""
        return (
            ""
            if self._own_topics() == self._topics
            else "the topics that it keeps its state on were made anew"
        )

    def _own_topics(self) -> dict[str, str]:
        """The ids of the topics that the worker keeps its state on."""
        known = self._memory.read().topics
        return {name: known[name] for name in kafka_access.WORKER_TOPICS if name in known}

    def answer(self, seconds: float) -> None:
        probe.responds(self._settings.connect.address, seconds)

    def check(self) -> None:
        """The worker has joined its group and answers."""
        connect = self._settings.connect
        probe.get(f"{connect.address}/health", **credentials(connect))
