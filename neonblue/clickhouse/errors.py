"""What can be wrong with ClickHouse's tables."""

from __future__ import annotations


class MigrationError(Exception):
    """The applied migrations and the files contradict each other. The message says what to do."""

    code = "clickhouse_migration"
