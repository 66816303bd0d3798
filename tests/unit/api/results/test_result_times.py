"""Every time in results and their tables has one form, which ends in Z."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel, TypeAdapter

from api.results import schemas
from api.results.tables import Format, table
from neonblue.analysis.answer import ResultItem
from neonblue.analysis.instants import Instant, utc_text
from neonblue.results.parts import (
    CohortItem,
    FunnelItem,
    JourneyItem,
    RevenueItem,
    SeriesItem,
    StageItem,
)
from neonblue.results.snapshot import SnapshotLine

ITEMS = (ResultItem, SeriesItem, FunnelItem, JourneyItem, CohortItem, RevenueItem, StageItem, SnapshotLine)


def answers() -> list[type[Any]]:
    return [
        kind
        for kind in vars(schemas).values()
        if isinstance(kind, type)
        and kind.__module__ == schemas.__name__
        and (is_dataclass(kind) or issubclass(kind, BaseModel))
    ]


def times(hint: Any, path: str, seen: frozenset[Any] = frozenset()) -> Iterator[tuple[str, bool]]:
    """Every time within a type, and whether it is an `Instant`."""
    if hint == Instant:
        yield path, True
    elif hint is datetime:
        yield path, False
    elif get_origin(hint) is Annotated:
        yield from times(get_args(hint)[0], path, seen)
    elif get_origin(hint) is not None:
        for part in get_args(hint):
            yield from times(part, path, seen)
    elif isinstance(hint, type) and hint not in seen and (is_dataclass(hint) or issubclass(hint, BaseModel)):
        for name, part in get_type_hints(hint, include_extras=True).items():
            yield from times(part, f"{path}.{name}", seen | {hint})


def test_the_walk_finds_the_times_of_every_answer() -> None:
    found = {path for kind in answers() for path, _ in times(kind, kind.__name__)}
    assert {"Results.watermark", "Results.plan.last_look_to", "Snapshots.items.computed_at"} <= found
    assert {"Part.watermark", "ReportOut.created_at"} <= found


@pytest.mark.parametrize("kind", [*answers(), *ITEMS], ids=lambda kind: kind.__name__)
def test_every_time_of_an_answer_is_written_in_the_one_form(kind: type[Any]) -> None:
    assert [path for path, is_instant in times(kind, kind.__name__) if not is_instant] == []


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 1, 9, 30),  # noqa: DTZ001 - as ClickHouse's driver gives it
        datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
        datetime(2026, 3, 1, 11, 30, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_a_time_ends_in_z_whatever_it_came_with(moment: datetime) -> None:
    written = "2026-03-01T09:30:00.000000Z"

    assert utc_text(moment) == written
    assert TypeAdapter(Instant).dump_json(moment) == f'"{written}"'.encode()
    item = SeriesItem("control", moment, 1, 1, 0, 0.0, 1)
    stamp = {"computed_at": moment, "watermark": moment, "configuration_version": 1, "code_version": "1"}
    body = table(Format.CSV, SeriesItem, [item], stamp, "x").body
    (row,) = csv.DictReader(io.StringIO(bytes(body).decode()))
    assert (row["start"], row["computed_at"], row["watermark"]) == (written,) * 3
