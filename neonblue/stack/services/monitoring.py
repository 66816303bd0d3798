"""What watches the stack, where that is asked for: NeonBlue's exporter, Prometheus, Alertmanager, and the exporters of
PostgreSQL and Valkey. Prometheus and the others are programs of this machine; what is not installed is left out."""

from __future__ import annotations

import shutil
import sys
from abc import abstractmethod
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import quote, urlencode

from neonblue.files import Folder, folder, write_private
from neonblue.settings import Role, Settings
from neonblue.stack.errors import RequirementError
from neonblue.stack.processes.command import Command
from neonblue.stack.processes.confinement import Confinement
from neonblue.stack.processes.ports import LOOPBACK
from neonblue.stack.services import bcrypt, monitoring_files
from neonblue.stack.services.environment import process_environment
from neonblue.stack.services.secret_use import POSTGRES
from neonblue.stack.supervisor import probe
from neonblue.stack.supervisor.nodes import Making, Service

_TLS_MODES = ("disable", "require", "verify-ca", "verify-full")
_TLS_FILES = ("sslrootcert", "sslcert", "sslkey")
_WEB, _PASSWORD = "web.yml", "password"


class _Watching(Service):
    """What all of them have in common."""

    component = "monitoring"
    folders = ("monitoring",)
    beside = True
    watch_seconds = 10.0

    @classmethod
    def belongs(cls, settings: Settings, watched: Collection[str]) -> bool:  # noqa: ARG003
        return bool(watched)

    @classmethod
    def reached_at(cls, settings: Settings) -> str:
        return f"{LOOPBACK}:{cls.listening(settings)[0].port}"


class Exporter(_Watching):
    """Tells Prometheus of all but the API, and hands alerts on to people."""

    name = "exporter"
    place = 100
    port_settings = ("exporter_port",)
    secrets = ("token",)
    secrets_used = (
        POSTGRES
        | {"clickhouse_url", "clickhouse_readonly_password", "connect_url", "connect_password"}
        | {"kafka_password", "kafka_monitoring_password", "dagster_url", "dagster_token"}
        | {"alert_urls", "monitoring_token"}
    )
    postgres_role = Role.MONITORING

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def command(self) -> Command:
        return Command(
            arguments=(sys.executable, "-m", "neonblue.monitoring"),
            environment=process_environment(self._settings, self),
            folder=self._settings.data_dir,
        )

    def answer(self, seconds: float) -> None:
        probe.responds(f"http://{LOOPBACK}:{self.ports()[0].port}/healthz", seconds)

    def check(self) -> None:
        probe.get(f"http://{LOOPBACK}:{self.ports()[0].port}/healthz")


class Program(_Watching):
    """A program of this machine that is reached over HTTP on the loopback, and held to its own folder."""

    programs: ClassVar[tuple[str, ...]]
    """What it may be called."""
    package: ClassVar[str]
    """Debian's and Ubuntu's package that has it."""
    ready: ClassVar[str] = "/metrics"
    knows_settings = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "monitoring" / self.name

    @classmethod
    def belongs(cls, settings: Settings, watched: Collection[str]) -> bool:
        """Where it is installed, and what it asks is watched."""
        asks = set(cls.uses) <= set(watched)
        return super().belongs(settings, watched) and asks and cls.program() is not None

    @classmethod
    def program(cls) -> Path | None:
        """Where it is installed; None where it is not."""
        found = (shutil.which(name) for name in cls.programs)
        return next((Path(path).resolve() for path in found if path is not None), None)

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.ports()[0].port}"

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._folder.parent.chmod(0o700)

    def command(self) -> Command:
        program = self.program()
        if program is None:
            raise RequirementError(f"{self.programs[0]} is not installed: apt-get install {self.package}")
        return Command(
            arguments=(str(program), *self._options()),
            environment=process_environment(self._settings, self) | {"TZ": "UTC"} | self._variables(),
            folder=self._folder,
            confinement=Confinement(
                writes=(self._folder,),
                binds=(self.ports()[0].port,),
                connects=self._connects(),
                reads=(program, *self._reads()),
            ),
        )

    @abstractmethod
    def _options(self) -> tuple[str, ...]: ...

    def _connects(self) -> tuple[int, ...] | None:
        """The ports that it connects to; None: any."""
        return None

    def _variables(self) -> dict[str, str]:
        """What it is told that no other process may see: arguments can be read by every user of the machine."""
        return {}

    def _reads(self) -> tuple[Path, ...]:
        return ()

    def answer(self, seconds: float) -> None:
        probe.responds(f"http://{self.address}{self.ready}", seconds)

    def check(self) -> None:
        probe.get(f"http://{self.address}{self.ready}")


class PostgresExporter(Program):
    """PostgreSQL's own statistics, read by a role that may read these alone."""

    name = "postgres-exporter"
    place = 101
    uses = ("postgres",)
    programs = ("postgres_exporter", "prometheus-postgres-exporter")
    package = "prometheus-postgres-exporter"
    port_settings = ("postgres_exporter_port",)
    ready = "/"

    def _options(self) -> tuple[str, ...]:
        # What that one reads has other columns since PostgreSQL 17.
        return ("--no-collector.bgwriter", f"--web.listen-address={self.address}", "--log.level=warn")

    def _connects(self) -> tuple[int, ...] | None:
        return None if self._settings.postgres.external else (self._settings.postgres.port,)

    def _variables(self) -> dict[str, str]:
        given = self._given()
        return {
            "DATA_SOURCE_URI": place(given),
            "DATA_SOURCE_USER": str(given.get("user", "")),
            "DATA_SOURCE_PASS": str(given.get("password", "")),
        }

    def _reads(self) -> tuple[Path, ...]:
        given = self._given()
        files = (str(given[name]) for name in _TLS_FILES if name in given)
        return tuple(Path(file) for file in files if Path(file).is_absolute())

    def _given(self) -> Mapping[str, object]:
        """libpq's parameters."""
        from psycopg.conninfo import conninfo_to_dict

        return conninfo_to_dict(self._settings.postgres.acting(Role.MONITORING).dsn())


def place(given: Mapping[str, object]) -> str:
    """Where PostgreSQL is, as postgres_exporter wants it: without its user. given: libpq's parameters.

    To another machine by TLS, unless the parameters say otherwise. Its library knows neither ``prefer`` nor ``allow``.
    """
    host, mode = str(given.get("host", LOOPBACK)), str(given.get("sslmode", ""))
    if mode not in _TLS_MODES:
        mode = "disable" if _is_here(host) else "require"
    options = {"sslmode": mode} | {name: str(given[name]) for name in _TLS_FILES if name in given}
    name = f"[{host}]" if ":" in host else quote(host, safe="")
    return f"{name}:{given.get('port', 5432)}/{quote(str(given.get('dbname', '')), safe='')}?{urlencode(options)}"


def _is_here(host: str) -> bool:
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class ValkeyExporter(Program):
    """Valkey's own counts."""

    name = "valkey-exporter"
    place = 102
    uses = ("valkey",)
    programs = ("redis_exporter", "prometheus-redis-exporter")
    package = "prometheus-redis-exporter"
    port_settings = ("valkey_exporter_port",)
    ready = "/health"

    def _options(self) -> tuple[str, ...]:
        return (f"-web.listen-address={self.address}", "-log-format=txt")

    def _connects(self) -> tuple[int, ...] | None:
        return None if self._settings.valkey.external else (self._settings.valkey.port,)

    def _variables(self) -> dict[str, str]:
        valkey = self._settings.valkey
        if valkey.external:
            return {"REDIS_ADDR": valkey.dsn}
        return {
            "REDIS_ADDR": f"redis://{LOOPBACK}:{valkey.port}",
            "REDIS_PASSWORD": valkey.password.get_secret_value(),
        }


class Page(Program):
    """A program with a page, which asks for a user and a password: who enters Alertmanager can silence alerts."""

    ready = "/-/ready"
    secrets = ("password",)

    @classmethod
    def reached_at(cls, settings: Settings) -> str:
        return f"http://{super().reached_at(settings)}"

    def prepare(self) -> None:
        super().prepare()
        password = self._settings.monitoring.password.get_secret_value()
        write_private(self._folder / _WEB, monitoring_files.web(bcrypt.hashed(password)))

    def check(self) -> None:
        probe.get(f"http://{self.address}{self.ready}", auth=self._settings.monitoring.credentials)

    def _reads(self) -> tuple[Path, ...]:
        """Debian keeps templates and pages there."""
        return (Path("/usr/share/prometheus"),)


class Alertmanager(Page):
    """Groups alerts, and hands them to the exporter."""

    name = "alertmanager"
    place = 103
    programs = ("alertmanager", "prometheus-alertmanager")
    package = "prometheus-alertmanager"
    port_settings = ("alertmanager_port",)

    def prepare(self) -> None:
        super().prepare()
        monitoring = self._settings.monitoring
        write_private(self._folder / "token", monitoring.token.get_secret_value())
        text = (folder(Folder.MONITORING) / "alertmanager.yml").read_text(encoding="utf-8")
        receiver = f"http://{LOOPBACK}:{monitoring.exporter_port}/alerts"
        configuration = monitoring_files.alertmanager(
            text, receiver, "token", self._settings.alert.repeat_minutes
        )
        write_private(self._folder / "alertmanager.yml", configuration)

    def _options(self) -> tuple[str, ...]:
        return (
            "--config.file=alertmanager.yml",
            f"--web.config.file={_WEB}",
            "--storage.path=data",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        )

    def _connects(self) -> tuple[int, ...]:
        return (self._settings.monitoring.exporter_port,)


class Prometheus(Page):
    """Asks all the others, keeps what they say, and sees by the rules what is wrong.

    Once the platform has started: until then much is not there that nobody need be told of. It does not wait for ever,
    since of what never starts it has to tell.
    """

    name = "prometheus"
    place = 104
    optional = ("api", "connector", "clickhouse-schema")
    patience_seconds = 300.0
    programs = ("prometheus",)
    package = "prometheus"
    port_settings = ("prometheus_port",)

    def __init__(self, settings: Settings, present: Collection[str]) -> None:
        super().__init__(settings)
        self._present = present

    @classmethod
    def made(cls, making: Making) -> Self:
        return cls(making.settings, making.present)

    def targets(self) -> dict[str, str]:
        """Each job's address: of the API with its scheme, and of what runs here."""
        api, monitoring = self._settings.api, self._settings.monitoring
        ports = {
            "exporter": monitoring.exporter_port,
            "postgres-exporter": monitoring.postgres_exporter_port,
            "valkey-exporter": monitoring.valkey_exporter_port,
            "alertmanager": monitoring.alertmanager_port,
            "prometheus": monitoring.prometheus_port,
        }
        found = {"api": api.address} if "api" in self._present else {}
        return found | {
            name.removesuffix("-exporter"): f"{LOOPBACK}:{port}"
            for name, port in ports.items()
            if name in self._present
        }

    def prepare(self) -> None:
        super().prepare()
        source, own = folder(Folder.MONITORING), self._folder / "rules"
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(source / "rules", own)
        text = (source / "prometheus.yml").read_text(encoding="utf-8")
        write_private(self._folder / _PASSWORD, self._settings.monitoring.password.get_secret_value())
        configuration = monitoring_files.prometheus(text, self.targets(), "rules/*.yml", _PASSWORD)
        write_private(self._folder / "prometheus.yml", configuration)

    def _options(self) -> tuple[str, ...]:
        monitoring = self._settings.monitoring
        return (
            "--config.file=prometheus.yml",
            f"--web.config.file={_WEB}",
            "--storage.tsdb.path=data",
            f"--storage.tsdb.retention.time={monitoring.retention_days}d",
            f"--storage.tsdb.retention.size={monitoring.retention_megabytes}MB",
            f"--web.listen-address={self.address}",
            "--log.level=warn",
        )

    def _connects(self) -> tuple[int, ...] | None:
        if self._settings.api.external:
            return None
        return tuple(int(target.rpartition(":")[2]) for target in self.targets().values())


PROGRAMS: tuple[type[Program], ...] = (PostgresExporter, ValkeyExporter, Alertmanager, Prometheus)


def missing() -> tuple[type[Program], ...]:
    """The programs that this machine does not have."""
    return tuple(one for one in PROGRAMS if one.program() is None)


def require() -> tuple[str, ...]:
    """A sentence for each program that is missing and can be done without.

    Raises ``RequirementError`` where Prometheus is: without it there is nothing to see.
    """
    absent = missing()
    if Prometheus in absent:
        raise RequirementError(f"Prometheus is not installed: {_advice(absent)}")
    return tuple(f"{one.programs[0]} is not installed, and left out: {_advice([one])}" for one in absent)


def _advice(programs: Collection[type[Program]]) -> str:
    names = " ".join(one.package for one in programs)
    return (
        f"apt-get install {names} (Debian, Ubuntu), then 'systemctl disable --now {names}': "
        "the stack starts its own"
    )
