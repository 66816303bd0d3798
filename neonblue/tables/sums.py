"""A file of sums: a row per metric and arm."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal

from neonblue.tables import cells
from neonblue.tables.errors import CellError, FileError, at
from neonblue.tables.numbers import Notation, exact_number
from neonblue.tables.report import ColumnRead, FileReport
from neonblue.tables.roles import VARIANT_NAMES, normal
from neonblue.tables.survey import Survey, survey
from neonblue.tables.table import Row, Table

_COUNT = re.compile(r"[1-9]\d{0,2}(?:[., ']\d{3})+", re.ASCII)
"""A count has no decimals: a sign before three digits separates thousands."""

_NUMBERS = frozenset(
    {"n", "sum", "sum_of_squares", "sum_m", "sum_d", "sum_mm", "sum_dd", "sum_md"}
    | {"sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy"}
)


_SQUARES = frozenset(
    {"sum_of_square", "sum_squares", "sum_square", "sum_squared", "sum_of_squared", "sum_of_squared_values"}
    | {
        "sumsq",
        "sum_sq",
        "sum_of_sq",
        "sumsquares",
        "sum_of_squares_value",
        "sum2",
        "sum_2",
        "sum_y2",
        "squares",
    }
    | {"sum_of_squares_of_values", "sum_value_squared", "sum_squared_values", "ssq", "sumofsquares"}
)
"""Other names of the sum of squares."""

_SPREAD = re.compile(
    r"sq|squ|2$|^(sd|se|ss|std|var|variance|dev|mean|avg|average)$|std|stdev|deviation|stderr"
)
"""Names of what may be squares, or stand in their place."""


def holds_sums(table: Table) -> bool:
    """Whether the header is that of a file of sums, in any case."""
    return {"metric", "n"} <= {normal(name) for name in table.columns}


def rows_of_sums(table: Table, variant: str | None) -> tuple[list[dict[str, str]], list[Row], FileReport]:
    """Each row by its column, arms as `variant`, numbers written plainly, blank numbers empty; as it stands in the
    file; and how it was read.

    Raises FileError naming the line for a row of another length, a number that is none, and a metric's second row of
    an arm.
    """
    look = survey(table)
    table = look.table
    names = _names(table)
    arm_at = _arm_column(table, names, variant)
    grouping = _grouping(look, names.index("n"))
    notations = {
        place: look.notation(place, grouping)
        for place, name in enumerate(names)
        if name in _NUMBERS and name != "n"
    }
    rows: list[dict[str, str]] = []
    arms: set[str] = set()
    seen: dict[tuple[str, str], Row] = {}
    for row in table.rows():
        try:
            found = _row(row, table, names, notations)
            found["variant"] = cells.arm(row.cells[arm_at])
        except CellError as error:
            raise FileError(f"{table.source.name}: {at(row.line, row.number)}: {error}") from None
        key = found["metric"], found["variant"]
        if key in seen:
            raise FileError(
                f"{table.source.name}: {at(row.line, row.number)}: {key[0]} of {key[1]} stands in line "
                f"{seen[key].line} already: of several rows, as one per day, none counts alone, and their n may "
                "count a unit twice; write a row per metric and arm"
            )
        seen[key] = row
        arms.add(found["variant"])
        rows.append(found)
    if len(arms) < 2:
        raise FileError(f"--variant: column {table.columns[arm_at]!r} has 1 arm ({', '.join(arms)}), not two")
    return rows, list(seen.values()), _report(look, names, arm_at, notations)


def _names(table: Table) -> list[str]:
    """The columns by the names they are known by. FileError for one that may hold squares under an unknown name."""
    found = [normal(name) for name in table.columns]
    names = ["sum_of_squares" if name in _SQUARES else name for name in found]
    if names.count("sum_of_squares") > 1:
        raise FileError(
            f"{table.source.name}: two columns are the sum of squares; the columns are {table.names}"
        )
    if "sum_m" in names or "sum_y" in names or "sum_of_squares" in names:
        return names
    for place, name in enumerate(names):
        parts = name.split("_")
        if name not in _NUMBERS | {"metric", *VARIANT_NAMES} and any(map(_SPREAD.search, (name, *parts))):
            raise FileError(
                f"{table.source.name}: column {table.columns[place]!r} may be what a mean needs beside its sum: "
                "name it sum_of_squares if it is the sum of squared values, else take it out of the file"
            )
    if "sum" not in names:
        raise FileError(
            f"{table.source.name}: a file of sums needs a column 'sum'; the columns are {table.names}"
        )
    return names


def _grouping(look: Survey, count_at: int) -> str:
    """The sign that separates thousands in the counts, which have no decimals; empty where none does."""
    signs = {shape.signs for shape in look.columns[count_at].shapes if shape.point and shape.comma} - {""}
    return signs.pop() if len(signs) == 1 else ""


def _report(look: Survey, names: list[str], arm_at: int, notations: Mapping[int, Notation]) -> FileReport:
    def read(place: int, name: str) -> ColumnRead:
        column = look.table.columns[place] or f"column {place + 1}"
        if place == arm_at:
            return ColumnRead(column, "arm")
        if name == "metric":
            return ColumnRead(column, "metric")
        if name == "n":
            return ColumnRead(column, "numbers")
        notation = notations.get(place)
        if notation is None:
            return ColumnRead(column, "passed over", "no sum")
        return ColumnRead(column, "numbers", notation.words)

    columns = tuple(read(place, name) for place, name in enumerate(names))
    name, separator = look.table.source.name, look.table.separator_name
    return FileReport(
        name, separator, look.rows, look.rows, (), columns, ("a row per metric and arm", *look.notes())
    )


def _arm_column(table: Table, names: list[str], given: str | None) -> int:
    if given is not None:
        return table.index(given, "--variant")
    for name in VARIANT_NAMES:
        if name in names:
            return names.index(name)
    raise FileError(f"--variant: name the column of the arms; the columns are {table.names}")


def _row(row: Row, table: Table, names: list[str], notations: dict[int, Notation]) -> dict[str, str]:
    if len(row.cells) != table.width:
        raise CellError(f"{len(row.cells)} cells where the header names {len(names)} columns")
    found = {name: cells.plain(cell) for name, cell in zip(names, row.cells, strict=False) if name}
    if not found["metric"] or cells.is_blank(found["metric"]):
        raise CellError("metric: it is blank")
    for place, notation in notations.items():
        found[names[place]] = _number(names[place], row.cells[place], notation)
    found["n"] = _count(row.cells[names.index("n")])
    _check_share(found)
    return found


def _check_share(found: Mapping[str, str]) -> None:
    """Without squares a sum is that of zeros and ones."""
    if "sum_of_squares" in found or not found.get("sum") or not found["n"]:
        return
    total = Decimal(found["sum"])
    if not 0 <= total <= int(found["n"]) or total != total.to_integral_value():
        raise CellError(
            f"sum: {found['sum']} of {found['n']} units is no share of them; a mean needs sum_of_squares"
        )


def _number(name: str, cell: str, notation: Notation) -> str:
    if cells.is_blank(cell):
        return ""
    try:
        value = exact_number(cell, notation)
    except CellError as error:
        raise CellError(f"{name}: {error}") from None
    if not math.isfinite(float(value)):
        raise CellError(f"{name}: {cells.shown(cell)} is too large")
    return _written(value)


def _count(cell: str) -> str:
    text = cells.plain(cell)
    if cells.is_blank(text):
        return ""
    try:
        value = Decimal(re.sub(r"\D", "", text)) if _COUNT.fullmatch(text) else exact_number(text)
    except CellError as error:
        raise CellError(f"n: {error}") from None
    if value < 0 or value.adjusted() > 15 or value != value.to_integral_value():
        raise CellError(f"n: {cells.shown(cell)} is not a count of units")
    return str(int(value))


def _written(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"
