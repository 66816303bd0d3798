"""The file of rows that were left out."""

from __future__ import annotations

import csv
import filecmp
import os
import re
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import IO

from neonblue.tables.reading import Sheet
from neonblue.tables.roles import UNIT_NAMES
from neonblue.tables.table import Row

REASON = "rejected_because"


def write_rejected(sheet: Sheet, reasons: Mapping[int, str]) -> Path:
    """Write the rows with the reason as a further column; they can be mended and imported with --append.

    `data.csv.gz` → `data.rejected.csv`, beside the file or, where nothing may be written there, in the working folder.
    Nothing is written over: the next name that is free is taken, `data.rejected-2.csv`, …, or the one that holds the
    same already. Where each row is a unit, a column names it as it is stored, by the row's number.
    """
    source = sheet.table.source
    path = source.given or Path.cwd() / "stdin"
    written = _beside_or_here(path.parent)
    try:
        with written.open("w", encoding="utf-8", newline="") as file:
            _write(file, sheet, reasons)
        return _kept(written, _stem(path.name))
    finally:
        written.unlink(missing_ok=True)


def _beside_or_here(folder: Path) -> Path:
    """A new file under a name of its own. Raises OSError where neither folder can be written."""
    try:
        return _new(folder)
    except OSError:
        return _new(Path.cwd())


def _new(folder: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=".rejected-", suffix=".csv", dir=folder)
    os.close(handle)
    return Path(name)


def _stem(name: str) -> str:
    """Without its endings; also of a file of rejected rows."""
    return re.sub(r"\.rejected(-\d+)?$", "", name.removesuffix(".gz").removesuffix(".csv"))


def _kept(written: Path, stem: str) -> Path:
    for number in count(1):
        path = written.parent / f"{stem}.rejected{'' if number == 1 else f'-{number}'}.csv"
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            if path.is_file() and filecmp.cmp(written, path, shallow=False):
                return path
            continue
        return written.replace(path)
    raise AssertionError("there is always a further name")


def _write(file: IO[str], sheet: Sheet, reasons: Mapping[int, str]) -> None:
    """In the file's own dialect, so that its numbers mean the same."""
    table = sheet.table
    kept = [place for place, name in enumerate(table.columns) if name != REASON]
    unit = [] if sheet.roles.unit is not None else [next(n for n in UNIT_NAMES if n not in table.columns)]
    writer = csv.writer(file, delimiter=table.separator)
    writer.writerow([*unit, *(table.columns[place] for place in kept), REASON])
    for row in table.rows():
        if row.number in reasons:
            number = [str(row.number)] if unit else []
            writer.writerow([*number, *_cells(row, kept, len(table.columns)), reasons[row.number]])


def _cells(row: Row, kept: list[int], width: int) -> list[str]:
    """The row's cells of the columns, and what a row that is too long has beyond them, so that it can be mended."""
    cells = [row.cells[place] if place < len(row.cells) else "" for place in kept]
    beyond = list(row.cells[width:])
    return [*cells, *(beyond if any(map(str.strip, beyond)) else [])]
