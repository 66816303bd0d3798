"""A generated history as plain rows, and the part of it that comes later."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from neonblue.simulation.history.events import History
from neonblue.simulation.history.plan import HistoryPlan, metrics
from tests.integration.dbt_project.expected_values import Raw

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def small_plan(
    seed: int, end: datetime = datetime(2026, 3, 9, 15, 30, tzinfo=UTC), days: int = 9
) -> HistoryPlan:
    """Everything that a large history has, often enough in a small one."""
    return HistoryPlan(
        seed=seed,
        events=5_000,
        users=250,
        end=end,
        days=days,
        experiments=4,
        in_two_arms=0.04,
        erased=0.06,
        late=0.05,
        anonymous=0.25,
    )


def split(table: pa.Table, seed: int, share: float) -> tuple[pa.Table, pa.Table]:
    """The rows that come at once, and those that come later."""
    later = np.random.default_rng(seed).random(len(table)) < share
    return table.filter(pa.array(~later)), table.filter(pa.array(later))


def whole_tables(history: History) -> tuple[pa.Table, pa.Table]:
    """All assignments and all events, copies among them."""
    return pa.concat_tables(history.assignments()), pa.concat_tables(history.events())


def raw_rows(history: History, assignments: Iterable[pa.Table], events: Iterable[pa.Table]) -> Raw:
    """The same rows for the plain computation."""
    return Raw(
        populations={design.experiment_id: design.population for design in history.plan.designs()},
        metrics=[msgspec.to_builtins(metric) for metric in metrics()],
        assignments=[row for table in assignments for row in table.to_pylist()],
        events=[_event(row) for table in events for row in table.to_pylist()],
        erasures=[
            {"user_id": name, "erased_at": EPOCH + timedelta(microseconds=at)}
            for name, at in history.erasures()
        ],
        links=history.links().to_pylist(),
    )


def _event(row: dict[str, Any]) -> dict[str, Any]:
    received = row["timestamp"] + timedelta(microseconds=row["received_delay"])
    return {**row, "received_at": received}
