"""A database of the release before is brought to the newest schema, with what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from api import migrations
from api.migrations import upgrade
from tests.integration.api.conftest import Server
from tests.integration.api.test_durability import query

RELEASED = "0001_initial"


@pytest.fixture
def released(postgres: Server) -> Iterator[str]:
    """A database as the last release left it. Its address."""
    name = f"released_{uuid4().hex}"
    query(postgres, f"CREATE DATABASE {name}")
    dsn = postgres.dsn.rpartition("/")[0] + f"/{name}"
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with engine.connect() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, RELEASED)
    yield dsn
    query(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def test_what_a_release_holds_is_brought_along_once(released: str) -> None:
    with psycopg.connect(released) as connection:
        connection.execute("INSERT INTO experiments (key, salt, status) VALUES ('e', 's', 'running')")
        connection.execute("INSERT INTO person_keys VALUES ('user', 'ada', sha256('key'))")
        connection.execute(
            """INSERT INTO assignments (experiment_id, version, assigned_at, unit_type, user_id, variant_key)
            VALUES (1, 1, now(), 'user', 'ada', 'a')"""
        )

    first, second = upgrade(released), upgrade(released)

    assert first == [
        "0002_experiment_looks",
        "0003_audit_access",
        "0004_drop_partition",
        "0005_rebuildable_messages",
        "0006_audit_cuts",
        "0007_outbox_by_proof",
        "0008_app_version",
        "0009_sent_at",
        "0010_served_fields",
    ]
    assert second == []
    with psycopg.connect(released) as connection:
        connection.execute(
            """INSERT INTO experiment_looks
                (experiment_id, number, closed_to, configuration_version, inference, alpha, cells)
            SELECT id, 1, now(), version, 'confidence_sequence', 0.05, '[]' FROM experiments WHERE key = 'e'"""
        )
        assert connection.execute("SELECT count(*) FROM experiment_looks").fetchone() == (1,)
        assert connection.execute("SELECT user_id, changed FROM person_keys").fetchall() == [("ada", True)]
        assert connection.execute("SELECT received_at, attributes FROM assignments").fetchall() == [
            (None, None)
        ]
