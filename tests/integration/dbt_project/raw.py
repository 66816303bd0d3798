"""A generated history as plain rows, and the part of it that comes later."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import msgspec
import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from neonblue.contract.messages import ExperimentMessage
from neonblue.simulation.history.events import History
from neonblue.simulation.history.plan import HistoryPlan, metrics, text
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


Pause = tuple[int, datetime, datetime]
"""An experiment, when it was paused and when it was resumed."""


def paused(versions: list[ExperimentMessage], *pauses: Pause) -> list[ExperimentMessage]:
    """The further versions that an experiment has which was paused, and resumed, at these times in their order."""
    newest, found = versions[-1], []
    for number, began, ended in pauses:
        assert number == newest.experiment_id
        for status, at in (("paused", began), ("running", ended)):
            version = newest.version + len(found) + 1
            found.append(replace(newest, version=version, status=status, received_at=text(at)))
    return found


def sent_while_paused(events: pa.Table, *pauses: Pause) -> pa.Table:
    """Exposures that clients send in these pauses all the same, of everybody who is exposed at any time."""
    found = []
    for number, began, ended in pauses:
        of_experiment = pa.compute.and_(
            pa.compute.equal(events["experiment_id"], number),
            pa.compute.equal(events["event_type"], "exposure"),
        )
        sent = events.filter(of_experiment)
        times = [began + (ended - began) * place / len(sent) for place in range(len(sent))]
        for name, values in (
            ("timestamp", times),
            ("event_id", [str(uuid5(NAMESPACE_OID, f"{began} {place}")) for place in range(len(sent))]),
        ):
            column = pa.array(values, sent[name].type)
            sent = sent.set_column(sent.schema.get_field_index(name), name, column)
        found.append(sent)
    return pa.concat_tables(found)


def raw_rows(
    history: History,
    assignments: Iterable[pa.Table],
    events: Iterable[pa.Table],
    pauses: Iterable[Pause] = (),
) -> Raw:
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
        pauses=list(pauses),
    )


def _event(row: dict[str, Any]) -> dict[str, Any]:
    received = row["timestamp"] + timedelta(microseconds=row["received_delay"])
    return {**row, "received_at": received}
