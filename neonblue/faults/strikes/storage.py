"""Inserts that fail, disks that fill up, clocks that step."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neonblue.clickhouse.client import connect as clickhouse
from neonblue.faults.plan import Fault
from neonblue.faults.strikes.context import Context, Healed, at_once
from neonblue.faults.supervisor import PRELOAD

DISK_MEGABYTES = 1_500
_PIECE = bytes(1024 * 1024)
_BALLOON = "balloon"
_HOURS_AHEAD = 3
CLOCK_FILE = "clock"


def view_fails(context: Context, fault: Fault) -> Healed:
    """A rule that no row keeps: what the views write is refused, as by a view that can't be carried out."""
    with clickhouse(context.settings.clickhouse) as client:
        client.command("ALTER TABLE events_processed ADD CONSTRAINT fault_run CHECK user_id = ''")
    try:
        context.hold(fault.seconds)
    finally:
        _restore(context)
    return at_once


def _restore(context: Context) -> None:
    """ClickHouse itself may be away for a while, struck by another fault."""

    def restored() -> bool:
        with contextlib.suppress(Exception), clickhouse(context.settings.clickhouse) as client:
            client.command("ALTER TABLE events_processed DROP CONSTRAINT IF EXISTS fault_run")
            return True
        return False

    context.until(restored, "ClickHouse takes the rule back")


def disk_full(context: Context, fault: Fault) -> Healed:
    """A file that takes all that is left."""
    balloon = context.stack.folder / _BALLOON
    ends = time.monotonic() + fault.seconds
    try:
        while time.monotonic() < ends and not context.stop.is_set():
            with contextlib.suppress(OSError), balloon.open("ab", buffering=0) as file:
                while True:
                    file.write(_PIECE)
            context.hold(1.0)
    finally:
        balloon.unlink(missing_ok=True)
    return at_once


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of its own under the data folder, so that no other is filled. For root. The logs stay when it goes."""
    options = f"size={DISK_MEGABYTES}m,mode=0755"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "neonblue-faults", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    try:
        yield
    finally:
        with tempfile.TemporaryDirectory(dir=folder.parent) as kept:
            logs = Path(kept) / "logs"
            with contextlib.suppress(OSError, shutil.Error):
                shutil.copytree(folder / "logs", logs)
            subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)
            if logs.exists():
                shutil.copytree(logs, folder / "logs", dirs_exist_ok=True)


def can_mount() -> bool:
    """Whether a disk can be mounted here: tried in a namespace of its own, which leaves nothing."""
    if os.geteuid() != 0:
        return False
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "tried", "/mnt"], check=False, capture_output=True
    )
    return tried.returncode == 0


def clock_steps(context: Context, fault: Fault) -> Healed:
    """The clock of every process that has libfaketime goes ahead, and back."""
    clock = context.stack.folder.parent / f"{context.stack.folder.name}.{CLOCK_FILE}"
    clock.write_text(f"+{_HOURS_AHEAD}h\n")
    try:
        context.hold(fault.seconds)
    finally:
        clock.write_text("+0\n")
    return at_once


def faketime() -> Path | None:
    """Where libfaketime is installed; None where it is not."""
    places = (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"))
    found = (path for place in places for path in place.glob("**/libfaketimeMT.so.1"))
    return next(found, None)


@contextmanager
def clock_environment(folder: Path, library: Path) -> Iterator[dict[str, str]]:
    """What lets the processes of the stack in `folder` follow the clock file beside it, which goes at the end."""
    clock = folder.parent / f"{folder.name}.{CLOCK_FILE}"
    clock.write_text("+0\n")
    try:
        yield {
            PRELOAD: str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    finally:
        clock.unlink(missing_ok=True)
