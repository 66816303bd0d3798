"""What is applied, in which order, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neonblue.clickhouse.migrations import (
    Migration,
    MigrationError,
    placeholders,
    plan,
    read_migrations,
)
from neonblue.files import Folder, folder
from neonblue.settings import ClickHouseSettings

ONE = Migration("0001_one.sql", "CREATE TABLE one (a UInt8) ENGINE = Memory;")
TWO = Migration("0002_two.sql", "CREATE TABLE two (a UInt8) ENGINE = Memory;")
SINGLE = placeholders(ClickHouseSettings())


def test_on_an_empty_database_everything_is_pending() -> None:
    assert plan([ONE, TWO], {}) == [ONE, TWO]


def test_a_second_run_plans_nothing() -> None:
    assert plan([ONE, TWO], {ONE.name: ONE.checksum, TWO.name: TWO.checksum}) == []


def test_a_file_changed_after_it_was_applied_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"0001_one\.sql was changed"):
        plan([ONE, TWO], {ONE.name: TWO.checksum})


def test_a_database_of_a_newer_release_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"0002_two\.sql"):
        plan([ONE], {ONE.name: ONE.checksum, TWO.name: TWO.checksum})


def test_a_file_put_in_before_applied_ones_is_refused() -> None:
    with pytest.raises(MigrationError, match="lower number"):
        plan([ONE, TWO], {TWO.name: TWO.checksum})


def test_two_files_with_one_number_are_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1;")
    (tmp_path / "0001_b.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationError, match="0001"):
        read_migrations(tmp_path)


def test_statements_end_at_a_semicolon_at_the_end_of_a_line() -> None:
    migration = Migration(
        "0001_a.sql", "-- why\nSELECT ';' AS a;\n\n-- and\n-- more\nSELECT 2;\n-- the end\n"
    )
    assert migration.statements(SINGLE) == ["SELECT ';' AS a", "SELECT 2"]


def test_an_unknown_placeholder_is_refused() -> None:
    with pytest.raises(MigrationError, match="BROKER"):
        Migration("0001_a.sql", "SELECT '${BROKER}';").statements(SINGLE)


def test_a_name_that_is_no_cluster_is_refused() -> None:
    with pytest.raises(MigrationError, match="no cluster"):
        placeholders(ClickHouseSettings(cluster="x'; DROP TABLE y"))


def test_the_files_hold_the_two_placeholders_only() -> None:
    found = {
        name
        for migration in read_migrations(folder(Folder.CLICKHOUSE))
        for name in re.findall(r"\$\{(\w+)\}", migration.text)
    }
    assert found == {"ON_CLUSTER", "REPLICATED"}


def test_every_statement_can_be_repeated_and_serves_a_cluster() -> None:
    cluster = placeholders(ClickHouseSettings(cluster="main"))
    for migration in read_migrations(folder(Folder.CLICKHOUSE)):
        for statement in migration.statements(cluster):
            head = statement.split("(")[0].split("AS\n")[0]
            made = re.match(r"CREATE (TABLE|MATERIALIZED VIEW) IF NOT EXISTS \w+ ON CLUSTER 'main'", head)
            grown = re.match(r"ALTER TABLE \w+ ON CLUSTER 'main'\s+ADD COLUMN IF NOT EXISTS ", head)
            told = re.match(
                r"ALTER TABLE \w+ ON CLUSTER 'main'\s+(COMMENT COLUMN|MODIFY COMMENT|MODIFY QUERY|MODIFY COLUMN)\s",
                statement,
            )
            assert made or grown or told, statement
            if grown:
                assert len(re.findall(r"ADD COLUMN", statement)) == statement.count(
                    "ADD COLUMN IF NOT EXISTS"
                )
            for engine in re.findall(r"ENGINE = (\w*MergeTree)", statement):
                assert engine.startswith("Replicated"), statement
