"""Applies the numbered SQL files of ``clickhouse/`` over ClickHouse's HTTP interface, each once.

The files hold two placeholders: ``${ON_CLUSTER}``, the cluster clause where `Settings.clickhouse.cluster`
names a cluster and nothing elsewhere, and ``${REPLICATED}``, the prefix of the table engines there. What was
applied is recorded with a checksum of the file as it lies on disk, so that a later change of it is noticed.

ClickHouse has no transactions over DDL: a file that failed half-way is applied again from its start, so every
statement in it must be repeatable (``IF NOT EXISTS``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from clickhouse_connect.driver.client import Client

from neonblue.clickhouse.client import connect
from neonblue.clickhouse.errors import MigrationError
from neonblue.files import Folder, folder
from neonblue.settings import ClickHouseSettings, Settings

log = structlog.get_logger()

_HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migrations ${ON_CLUSTER}
(
    name String COMMENT 'The file.',
    checksum String COMMENT 'SHA-256 of the file, in hexadecimal.',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was applied, UTC.'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY name
COMMENT 'One row per applied file of clickhouse/.'
"""
_NUMBERED = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_TARGET = re.compile(
    r"^(CREATE TABLE|CREATE MATERIALIZED VIEW|CREATE VIEW|CREATE DICTIONARY|ALTER TABLE|DROP TABLE|DROP VIEW)"
    r"(?: IF (?:NOT )?EXISTS)? (\w+)",
    re.MULTILINE,
)
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9_.{}-]+")
_PLACEHOLDER = re.compile(r"\$\{([A-Z_]+)\}")
_END_OF_STATEMENT = re.compile(r";[ \t]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file: its name and its text, placeholders unfilled."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, placeholders: Mapping[str, str]) -> list[str]:
        """The file's statements, in order, without comments around them.

        Raises `MigrationError` on a placeholder that does not exist.
        """
        try:
            filled = fill(self.text, placeholders)
        except KeyError as error:
            raise MigrationError(f"{self.name}: unknown placeholder {error}") from error
        parts = (_without_leading_comments(part) for part in _END_OF_STATEMENT.split(filled))
        return [part for part in parts if part]


def _without_leading_comments(text: str) -> str:
    return re.sub(r"\A(?:\s*--[^\n]*(?:\n|\Z))*", "", text).strip()


def fill(text: str, placeholders: Mapping[str, str]) -> str:
    """`text` with every ``${NAME}`` replaced. Raises ``KeyError`` on a name without a value."""
    return _PLACEHOLDER.sub(lambda match: placeholders[match[1]], text)


def placeholders(settings: ClickHouseSettings) -> dict[str, str]:
    """What the two placeholders stand for: nothing on a single server."""
    if not settings.cluster:
        return {"ON_CLUSTER": "", "REPLICATED": ""}
    if not _CLUSTER_NAME.fullmatch(settings.cluster):
        raise MigrationError(f"NEONBLUE_CLICKHOUSE_CLUSTER: {settings.cluster!r} is no cluster's name")
    return {"ON_CLUSTER": f"ON CLUSTER '{settings.cluster}'", "REPLICATED": "Replicated"}


def read_migrations(directory: Path) -> list[Migration]:
    """The numbered files of `directory`, by number. Raises `MigrationError` on a number used twice."""
    files = sorted(path for path in directory.glob("*.sql") if _NUMBERED.fullmatch(path.name))
    numbers = [path.name[:4] for path in files]
    doubled = sorted({number for number in numbers if numbers.count(number) > 1})
    if doubled:
        raise MigrationError(f"{directory}: more than one file numbered {', '.join(doubled)}")
    return [Migration(path.name, path.read_text(encoding="utf-8")) for path in files]


def plan(migrations: Sequence[Migration], applied: Mapping[str, str]) -> list[Migration]:
    """Those of `migrations` that are not in `applied` (name → checksum).

    Raises `MigrationError` where an applied file has changed, is gone, or comes after one not applied.
    """
    present = {migration.name for migration in migrations}
    gone = sorted(applied.keys() - present)
    if gone:
        raise MigrationError(
            f"This database has migrations that this release does not know: {', '.join(gone)}. "
            "Run the release that made them, or a newer one."
        )
    for migration in migrations:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"{migration.name} was changed after it had been applied. Restore it, and put the change "
                "into a new file with the next number."
            )
    pending = [migration for migration in migrations if migration.name not in applied]
    newest = max(applied, default="")
    late = [migration.name for migration in pending if migration.name < newest]
    if late:
        raise MigrationError(f"{', '.join(late)} has a lower number than {newest}, which is already applied.")
    return pending


def migrate(settings: Settings, before: Callable[[str, list[str]], object] | None = None) -> list[str]:
    """Apply what is not applied yet and return those files' names: none where the schema is up to date.

    before: told, before anything is made, the `identity` of what is there ('' where nothing is) and which tables and
    views are missing although their files were applied.

    Raises `MigrationError` where files and database contradict each other, and clickhouse-connect's own
    errors where the server refuses a statement or can not be reached. A table or view that somebody has dropped
    is made again: see `missing`.
    """
    filled = placeholders(settings.clickhouse)
    with connect(settings.clickhouse) as client:
        if "schema_migrations" not in _present(client):  # on a cluster each statement waits for every host
            client.command(fill(_HISTORY, filled))
        migrations = read_migrations(folder(Folder.CLICKHOUSE))
        applied = _applied(client)
        pending = plan(migrations, applied)
        if before is not None:
            made = [migration for migration in migrations if migration.name in applied]
            before(_identity(client), missing(made, _present(client)))
        for migration in pending:
            _apply(client, migration, filled)
        if gone := missing(migrations, _present(client)):
            log.warning("clickhouse_tables_missing", names=gone, then="they are made again")
            for statement in remake(migrations, gone, filled):
                client.command(statement)
    return [migration.name for migration in pending]


def identity(settings: Settings) -> str:
    """Tells these data from others at the same address: when the first file was applied."""
    with connect(settings.clickhouse) as client:
        return _identity(client)


def missing(migrations: Sequence[Migration], present: Collection[str]) -> list[str]:
    """The tables and views that the migrations make and that are not among `present`, in the order of their making."""
    wanted: dict[str, None] = {}
    for migration in migrations:
        for verb, name in _TARGET.findall(migration.text):
            if verb.startswith("CREATE"):
                wanted[name] = None
            elif verb.startswith("DROP"):
                wanted.pop(name, None)
    return [name for name in wanted if name not in present]


def remake(migrations: Sequence[Migration], names: Collection[str], filled: Mapping[str, str]) -> list[str]:
    """Every statement that made or changed these tables and views, in order."""
    found = []
    for migration in migrations:
        for statement in migration.statements(filled):
            target = _TARGET.search(statement)
            if target is not None and target[2] in names:
                found.append(statement)
    return found


def _present(client: Client) -> set[str]:
    rows = client.query("SELECT name FROM system.tables WHERE database = currentDatabase()").result_rows
    return {str(name) for (name,) in rows}


def _identity(client: Client) -> str:
    query = "SELECT if(count() = 0, '', toString(min(applied_at))) FROM schema_migrations"
    return str(client.query(query).result_rows[0][0])


def _applied(client: Client) -> dict[str, str]:
    rows = client.query(
        "SELECT name, argMax(checksum, applied_at) FROM schema_migrations GROUP BY name"
    ).result_rows
    return {str(name): str(checksum) for name, checksum in rows}


def _apply(client: Client, migration: Migration, filled: Mapping[str, str]) -> None:
    for statement in migration.statements(filled):
        client.command(statement)
    client.insert(
        "schema_migrations", [[migration.name, migration.checksum]], column_names=["name", "checksum"]
    )
    log.info("clickhouse_migration_applied", name=migration.name)
