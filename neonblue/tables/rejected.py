"""The file of rows that were left out."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from neonblue.tables.table import Table

REASON = "rejected_because"


def rejected_path(source: Path) -> Path:
    """`data.csv.gz` → `data.rejected.csv`, beside the file or, where nothing may be written, right here."""
    name = source.name.removesuffix(".gz").removesuffix(".csv") + ".rejected.csv"
    beside = source.parent / name
    try:
        with beside.open("a"):
            return beside
    except OSError:
        return Path.cwd() / name


def write_rejected(table: Table, reasons: Mapping[int, str]) -> Path:
    """Write the rows with the reason as a further column; they can be mended and imported with --append."""
    source = table.source
    path = rejected_path(Path.cwd() / "stdin" if source.spool is not None else source.path)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*table.columns, REASON])
        for row in table.rows():
            if row.number in reasons:
                padding = [""] * (len(table.columns) - len(row.cells))
                writer.writerow([*row.cells, *padding, reasons[row.number]])
    return path
