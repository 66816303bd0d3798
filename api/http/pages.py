"""Cursors: where the next page of a list goes on. Opaque to clients, stable while rows come and go.

last = read_cursor(cursor)                          # None: the first page
rows = await read_page(connection, last, limit + 1)
items, next_cursor = cut(rows, limit, key=lambda row: row["id"])
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from api.http.problems import Problem

Row = TypeVar("Row")

Cursor = Annotated[
    str | None, Query(min_length=1, max_length=64, description="`next_cursor` of the page before")
]
Limit = Annotated[int, Query(ge=1, le=200, description="The most items on the page")]

_PREFIX = b"id:"
_LARGEST = 2**63 - 1


def write_cursor(last: int) -> str:
    """The cursor after the row with this id."""
    return urlsafe_b64encode(_PREFIX + str(last).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> int | None:
    """The id of the last row before the page. Raises Problem 422 `invalid_cursor`."""
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        last = int(text.removeprefix(_PREFIX))
    except ValueError:
        raise _invalid() from None
    if write_cursor(last) != cursor or not 0 <= last <= _LARGEST:
        raise _invalid()
    return last


def cut(rows: Sequence[Row], limit: int, key: Callable[[Row], int]) -> tuple[list[Row], str | None]:
    """The page's rows out of one more than it may hold, and the cursor of the next page, if there is one."""
    page = list(rows[:limit])
    return page, write_cursor(key(page[-1])) if len(rows) > limit else None


def _invalid() -> Problem:
    return Problem(422, "invalid_cursor", "Send the next_cursor of the page before", field="cursor")
