"""What Dagster keeps of finished runs: deleted when they are old, but for the newest of each asset."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import sqlalchemy as db
from dagster import DagsterInstance, RunsFilter
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

_PAGE = 100
_SECONDS = 600.0
"""A night's share: what is left goes in the nights that follow."""


def delete_runs(instance: DagsterInstance, before: datetime, seconds: float = _SECONDS) -> int:
    """Delete the runs that ended before, with their events and output; how many.

    Those stay by which an asset was made last, or is known at all: its page, and what reads its newest run, show them.
    """
    newest = _newest_of_assets(instance)
    deadline, deleted = time.monotonic() + seconds, 0
    for run_id in _ended(instance, before):
        if time.monotonic() > deadline:
            break
        if run_id not in newest:
            instance.delete_run(run_id)
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            deleted += 1
    return deleted


def delete_check_results(instance: DagsterInstance, before: datetime) -> int:
    """Delete the results of checks from before, but for each check's newest; how many."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        # Ours adds to Dagster's storage by a part for each kind of row.
        storage = getattr(storage, "_event_log_storage", storage)
    if not isinstance(storage, SqlEventLogStorage):
        return 0
    table = AssetCheckExecutionsTable.c
    newest = db.select(db.func.max(table.id)).group_by(table.asset_key, table.check_name, table.partition)
    with storage.index_connection() as connection:
        found = connection.execute(
            AssetCheckExecutionsTable.delete().where(
                table.create_timestamp < before.replace(tzinfo=None), table.id.not_in(newest)
            )
        )
    return int(found.rowcount)


def delete_folders(parent: Path, before: datetime) -> int:
    """Delete the folders in `parent` that nothing has written to since; how many."""
    deleted = 0
    for folder in parent.iterdir() if parent.is_dir() else ():
        try:
            old = folder.is_dir() and not folder.is_symlink() and folder.stat().st_mtime < before.timestamp()
        except FileNotFoundError:
            continue
        if old:
            shutil.rmtree(folder, ignore_errors=True)
            deleted += 1
    return deleted


def _ended(instance: DagsterInstance, before: datetime) -> Iterator[str]:
    """Oldest first. Read to the end before any is deleted, as a page is counted from the run before it."""
    wanted = RunsFilter(statuses=FINISHED_STATUSES, updated_before=before)
    ended: list[str] = []
    while page := instance.get_run_records(
        wanted, limit=_PAGE, cursor=ended[-1] if ended else None, ascending=True
    ):
        ended += [record.dagster_run.run_id for record in page]
    yield from ended


def _newest_of_assets(instance: DagsterInstance) -> set[str]:
    events = instance.get_latest_materialization_events(instance.get_asset_keys()).values()
    return {event.run_id for event in events if event is not None}
