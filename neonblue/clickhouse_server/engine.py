"""The embedded engine: one per process, many connections, each with its settings."""

from __future__ import annotations

import base64
import contextlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neonblue.clickhouse_server import library

_MAX_IDLE = 64
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


@dataclass(frozen=True, slots=True)
class Profile:
    """What a connection was made for: two requests with equal profiles may share one."""

    readonly: bool
    database: str
    settings: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished query says about itself: rows of its result, rows and bytes read, its output."""

    result_rows: int
    read_rows: int
    read_bytes: int
    output: bytes


def quoted(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


class Connection:
    """One connection of the engine; used by one thread at a time.

    Its `mark` is the setting ``log_comment``: by it another connection can kill what runs here.
    """

    _numbers = itertools.count(1)

    def __init__(self, path: Path, profile: Profile) -> None:
        self.profile = profile
        self.mark = f"neonblue-connection-{next(self._numbers)}"
        self._raw = library.load().connect(str(path))
        try:
            if profile.database:
                self.run(f"USE {identifier(profile.database)}")
            self.set({**dict(profile.settings), "log_comment": self.mark})
            if profile.readonly:
                self.set({"readonly": "1"})
        except BaseException:
            self.close()
            raise

    def set(self, settings: Mapping[str, str | None]) -> None:
        """Apply settings; None stands for the engine's default."""
        if settings:
            changes = (
                f"{identifier(name)} = {'DEFAULT' if value is None else quoted(value)}"
                for name, value in settings.items()
            )
            self.run("SET " + ", ".join(changes))

    def run(
        self,
        query: bytes | str,
        output_format: str = "TabSeparated",
        parameters: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run a statement to its end. Blocks without the interpreter's lock; raises RuntimeError."""
        result = self._raw.query(query, output_format, params=dict(parameters or {}))
        return Outcome(
            result.rows_read(), result.storage_rows_read(), result.storage_bytes_read(), result.bytes()
        )

    def rows(self, query: str, parameters: Mapping[str, str] | None = None) -> list[list[str]]:
        """The result of a query whose values need no unescaping."""
        text = self.run(query, parameters=parameters).output.decode()
        return [line.split("\t") for line in text.splitlines()]

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._raw.close()


class Engine:
    """Opens the engine over a folder and hands out its connections."""

    def __init__(self, path: Path, config: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._idle: OrderedDict[int, Connection] = OrderedDict()
        self._lock = threading.Lock()
        self._main: Any = library.load().connect(f"{path}?config-file={config}")
        self.control = Connection(path, Profile(readonly=False, database="", settings=frozenset()))
        ((self.version, self.timezone, self.host),) = self.control.rows(
            "SELECT version(), timezone(), hostName()"
        )

    def idle(self, profile: Profile) -> Connection | None:
        """A connection of this profile that nobody uses."""
        with self._lock:
            for number, connection in reversed(self._idle.items()):
                if connection.profile == profile:
                    return self._idle.pop(number)
        return None

    def connect(self, profile: Profile) -> Connection:
        """A new connection. Raises RuntimeError on a setting or database that doesn't exist."""
        return Connection(self._path, profile)

    def release(self, connection: Connection) -> None:
        """Give back a connection whose state is what its profile says."""
        with self._lock:
            self._idle[id(connection)] = connection
            surplus = self._idle.popitem(last=False)[1] if len(self._idle) > _MAX_IDLE else None
        if surplus is not None:
            surplus.close()

    def formats(self) -> list[str]:
        return [name for (name,) in self.control.rows("SELECT name FROM system.formats")]

    def functions(self) -> list[str]:
        """The names of all functions and table functions."""
        query = "SELECT name FROM system.functions UNION ALL SELECT name FROM system.table_functions"
        return [name for (name,) in self.control.rows(query)]

    def memory(self) -> int:
        """Bytes that all queries may take together."""
        query = "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'"
        ((value,),) = self.control.rows(query)
        return int(value)

    def formatted(self, query: bytes) -> bytes:
        """The engine's own writing of a statement. Raises RuntimeError on what it can't parse."""
        plain = Profile(readonly=False, database="", settings=frozenset())
        connection = self.idle(plain) or self.connect(plain)
        text = query.decode("utf-8", "surrogateescape").translate(_ESCAPES)
        try:
            rows = connection.rows(
                "SELECT base64Encode(formatQuerySingleLine({query:String}))", {"query": text}
            )
        finally:
            self.release(connection)
        return base64.b64decode(rows[0][0])

    def kill(self, marks: Iterable[str]) -> None:
        """Cancel what runs on the connections with these marks."""
        wanted = ", ".join(quoted(mark) for mark in marks)
        if wanted:
            self.control.run(f"KILL QUERY WHERE Settings['log_comment'] IN ({wanted}) ASYNC")

    def close(self) -> None:
        """Let the Kafka tables leave their consumer group, then close every connection."""
        for database, table in self.control.rows(
            "SELECT database, name FROM system.tables WHERE engine = 'Kafka'"
        ):
            with contextlib.suppress(RuntimeError):
                self.control.run(f"DETACH TABLE {identifier(database)}.{identifier(table)}")
        with self._lock:
            idle, self._idle = list(self._idle.values()), OrderedDict()
        for connection in [*idle, self.control]:
            connection.close()
        self._main.close()
