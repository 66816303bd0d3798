"""``neonblue migrate``."""

from __future__ import annotations

from neonblue.cli.terminal import DataDir, console
from neonblue.settings import Role, Settings


def migrate(data_dir: DataDir = None) -> None:
    """Bring PostgreSQL's and ClickHouse's schemas up to date. Changes nothing where they are."""
    from api.migrations import upgrade
    from neonblue.clickhouse.migrations import migrate as migrate_clickhouse

    settings = Settings.load(data_dir)
    out = console()
    upgrade(settings.postgres.acting(Role.API).dsn())
    out.print("PostgreSQL: up to date")
    applied = migrate_clickhouse(settings)
    out.print(f"ClickHouse: applied {', '.join(applied)}" if applied else "ClickHouse: up to date")
