"""Runs a revision's SQL file."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection


def run_script(bind: Connection, file: Path) -> None:
    """Run all statements of the file, in the transaction of the revision.

    Past SQLAlchemy, whose execution would read a percent sign as a placeholder.
    """
    driver = bind.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection is closed")
    driver.execute(file.read_text(encoding="utf-8"))
