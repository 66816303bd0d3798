"""Which assignments memory alone answers, where the experiment does not give the unit its variant."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from api.assignments.cache import Stored
from api.assignments.service import AssignmentService
from api.demand.counts import Counts
from api.experiments.evaluation import EvaluationRow
from api.experiments.registry import LiveExperiment
from neonblue.bucketing import Reason, Release, Serving
from neonblue.bucketing.document import ExperimentEntry, VariantEntry, forced_digits

ENTRY = ExperimentEntry(
    experiment_id=1,
    key="k",
    unit_type="user",
    version=3,
    salt="s",
    allocation=0,
    variants=[
        VariantEntry(key="a", weight=1, payload={"value": "old"}),
        VariantEntry(key="b", weight=1, payload={"value": "new"}),
    ],
    outside="a",
)
PAUSED = Serving(Reason.PAUSED, "a")


@dataclass
class Memory:
    """Of the process: the experiment, what was confirmed lately, who has nothing stored, and what is stored."""

    live: LiveExperiment
    confirmed: bool = True
    absent: bool = True
    stored: Stored | None = None

    def find(self, key: str) -> LiveExperiment | None:
        return self.live if key == "k" else None

    def is_confirmed(self, _: int) -> bool:
        return self.confirmed

    def is_absent(self, _: object, version: int) -> bool:
        assert version == 3
        return self.absent

    def get(self, _: object) -> Stored | None:
        return self.stored


def made(status: str, serving: Serving | None = None, entry: ExperimentEntry = ENTRY) -> Memory:
    return Memory(LiveExperiment.from_row(EvaluationRow(status, False, "exposed", entry, serving)))


def at_hand(memory: Memory, **fields: Any) -> Any:
    service = AssignmentService(memory, memory, memory, timedelta(), str, Counts())  # type: ignore[arg-type]
    body = json.dumps({"experiment": "k", "user_id": "u"} | fields, separators=(",", ":"))
    return service.at_hand(body.encode())


def told(memory: Memory, **fields: Any) -> tuple[object, ...]:
    found = at_hand(memory, **fields)
    assert found is not None
    assert (found.assigned_at, found.created, found.durable, found.version) == (None, False, True, 3)
    return found.variant_key, found.reason, found.served_by, found.in_experiment, found.payload


def test_a_unit_that_is_left_out_gets_the_control_where_nothing_is_known_to_be_stored() -> None:
    expected = ("a", "not_in_allocation", "control", False, {"value": "old"})
    assert told(made("running")) == expected


def test_one_that_gets_no_variant_is_answered_too() -> None:
    entry = ExperimentEntry(
        **{name: getattr(ENTRY, name) for name in ENTRY.__struct_fields__} | {"outside": None}
    )
    assert told(made("running", entry=entry)) == (None, "not_in_allocation", None, False, None)


def test_who_may_be_stored_elsewhere_is_looked_up() -> None:
    assert at_hand(replace(made("running"), absent=False)) is None


@pytest.mark.parametrize(
    "fields",
    [{"targeting": "attributes.age > 3"}, {"allocation": 10_000}, {"forced": {forced_digits("s", "t"): "b"}}],
    ids=["attributes may say otherwise", "it enters", "testers are counted apart"],
)
def test_what_more_than_memory_decides_goes_the_usual_way(fields: dict[str, Any]) -> None:
    entry = ExperimentEntry(**{name: getattr(ENTRY, name) for name in ENTRY.__struct_fields__} | fields)
    assert at_hand(made("running", entry=entry)) is None


def test_while_enrolment_is_closed_who_is_known_not_to_be_stored_gets_the_control() -> None:
    fields = {name: getattr(ENTRY, name) for name in ENTRY.__struct_fields__} | {
        "closed": "a",
        "allocation": 10_000,
    }
    memory = made("running", entry=ExperimentEntry(**fields))
    assert told(memory)[:4] == ("a", "enrolment_closed", "control", False)
    memory.stored = Stored("b", 2, "2026-03-01T00:00:00Z", True)
    found = at_hand(memory)
    assert (found.variant_key, found.in_experiment, found.version) == ("b", True, 2)


def test_a_paused_key_is_answered_unless_it_may_run_by_now() -> None:
    memory = made("paused", PAUSED)
    assert told(memory, attributes={"age": 3}) == ("a", "paused", "control", False, {"value": "old"})
    memory.confirmed = False
    assert at_hand(memory) is None


def test_a_released_key_is_answered_without_another_look() -> None:
    memory = replace(made("concluded", Serving(Reason.CONCLUDED, "a", Release("b"))), confirmed=False)
    assert told(memory) == ("b", "released", "release", False, {"value": "new"})


@pytest.mark.parametrize(
    "fields",
    [{"experiment": "other"}, {"unit_type": "account"}, {"shown_variant": "b"}, {"variant_key": "b"}],
    ids=str,
)
def test_what_is_unusual_goes_the_usual_way(fields: dict[str, Any]) -> None:
    for memory in (made("running"), made("paused", PAUSED)):
        assert at_hand(memory, **fields) is None
