"""One Kafka node in KRaft mode, and its users."""

from __future__ import annotations

import base64
import secrets
import struct
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import structlog

from neonblue.files import write_private
from neonblue.settings import Settings
from neonblue.settings.kafka import PARTS
from neonblue.stack.errors import ServiceError
from neonblue.stack.jvm import jars, java
from neonblue.stack.processes.command import Command
from neonblue.stack.processes.ports import LOOPBACK
from neonblue.stack.services import templates
from neonblue.stack.services.environment import process_environment
from neonblue.stack.supervisor import probe
from neonblue.stack.supervisor.nodes import Making, Package, Service, Step

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

_log = structlog.get_logger("neonblue.stack")

_CONFIGURATION = "broker.properties"
# A request by Kafka's protocol for the versions it speaks: length, key 18, version 0, correlation, no client's name.
_GREETING = struct.pack(">ihhih", 10, 18, 0, 1, -1)


def admin(settings: Settings, **security: str) -> AdminClient:
    """A client that keeps quiet while the broker is away: what it would say is in `status`.

    It signs in as the stack's administrator, or by the options in `security` (with `_` for `.`).
    """
    from confluent_kafka.admin import AdminClient

    return AdminClient(
        settings.kafka.client("admin")
        | {name.replace("_", "."): value for name, value in security.items()}
        | {
            "log_level": 0,
            "reconnect.backoff.max.ms": 500,
            "socket.timeout.ms": 5000,
        }
    )


def jar_cache(settings: Settings) -> Path:
    return settings.cache_dir / "jars"


class FetchJars(Step):
    """Downloads, once per user; what a disk has damaged since then is fetched again."""

    name = "jars"
    place = 0
    attempts = 3

    def __init__(self, settings: Settings, progress: Callable[[str], None]) -> None:
        self._settings = settings
        self._progress = progress

    @classmethod
    def made(cls, making: Making) -> Self:
        return cls(making.settings, making.progress)

    def run(self) -> None:
        cache, artifacts = jar_cache(self._settings), jars.locked()
        if removed := jars.remove_damaged(cache, artifacts):
            _log.warning("cache_was_damaged", node=self.name, removed=removed)
        jars.ensure(
            cache,
            artifacts,
            lambda done, wanted: self._progress(
                f"downloading Kafka and Debezium (65 MB, once): {done} of {wanted} files"
            ),
        )


class Kafka(Service):
    name = "kafka"
    place = 30
    component = "kafka"
    port_settings = ("port", "controller_port")
    packages: ClassVar[tuple[Package, ...]] = (Package("jgo", "the fetcher of Kafka and Debezium"),)
    clients = ("confluent_kafka",)
    secrets = tuple(f"{part}_password" for part in PARTS)
    secrets_if_external = False
    kept_if_external = ("security_protocol", "sasl_mechanism", "password", "ssl_ca_location")
    folders = ("kafka",)
    knows_settings = False
    requires = ("jars",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "kafka"
        self._node_password = ""
        self._admin: AdminClient | None = None

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        java.prepare(self._folder, jar_cache(self._settings))
        # New at each start: one who took Kafka's port while it was away, and was told it, has nothing.
        self._node_password, self._admin = secrets.token_urlsafe(24), None
        configuration = templates.broker(self._settings, "log", self._node_password)
        write_private(self._folder / _CONFIGURATION, configuration)
        if not (self._folder / "log" / "meta.properties").exists():
            self._format()

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = java.arguments("kafka.tools.StorageTool", "format", self._class_path(), 128)
        done = subprocess.run(
            [*command, f"--cluster-id={cluster}", "-c", _CONFIGURATION],
            cwd=self._folder,
            env=process_environment(self._settings, self) | java.ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServiceError(
                self.name, f"its storage can't be formatted: {(done.stderr or done.stdout).strip()}"
            )

    def _class_path(self) -> tuple[Path, ...]:
        return jars.ensure(jar_cache(self._settings), jars.locked()).class_path

    def command(self) -> Command:
        ports = [use.port for use in self.ports()]
        return Command(
            arguments=java.arguments(
                "kafka.Kafka", _CONFIGURATION, self._class_path(), self._settings.kafka.heap_megabytes
            ),
            environment=process_environment(self._settings, self) | java.ENVIRONMENT,
            folder=self._folder,
            confinement=java.confinement(self._folder, jar_cache(self._settings), ports, ports),
        )

    def answer(self, seconds: float) -> None:
        probe.speaks(LOOPBACK, self._settings.kafka.port, _GREETING, seconds)

    def check(self) -> None:
        """A metadata request that names a broker."""
        if not self._client().list_topics(timeout=probe.SECONDS).brokers:
            raise ServiceError(self.name, "no broker is registered yet")

    def settle(self) -> None:
        """The platform's users and what they may do. An external Kafka's are its owner's."""
        from neonblue.stack.services.inside import kafka_users

        if not self._settings.kafka.external:
            kafka_users.set_up(self._client(), self._settings)

    def _client(self) -> AdminClient:
        """Signed in to the stack's Kafka as the node itself: a new folder knows nobody else."""
        if self._admin is None:
            if self._settings.kafka.external:
                self._admin = admin(self._settings)
            else:
                # Cheaper than a client that retries.
                self.answer(probe.SECONDS)
                self._admin = admin(
                    self._settings,
                    sasl_mechanism="PLAIN",
                    sasl_username=templates.NODE_USER,
                    sasl_password=self._node_password,
                )
        return self._admin
