"""Brings a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

_LOCK = 6_075_131_887_001
"""Advisory lock of this product's migrations: two processes never migrate at once."""

_UNLIMITED = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
"""A migration takes as long as its tables need, and waits for another process that migrates."""


def upgrade(dsn: str) -> list[str]:
    """Apply what is missing and return the revisions applied, oldest first: none on a second run.

    Waits for another process that migrates. Each revision is one transaction. Raises the driver's
    error when the database is away or a revision fails; the revisions before it stay.
    """
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent))
    engine = create_engine("postgresql+psycopg://", creator=lambda: _connect(dsn), poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()
        missing = _missing(ScriptDirectory.from_config(configuration), MigrationContext.configure(connection))
        connection.commit()
        if missing:
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")
    return missing


def _connect(dsn: str) -> psycopg.Connection:
    return psycopg.connect(dsn, connect_timeout=10, options=_UNLIMITED)


def _missing(scripts: ScriptDirectory, context: MigrationContext) -> list[str]:
    current = context.get_current_revision() or "base"
    return [script.revision for script in scripts.iterate_revisions("head", current)][::-1]
