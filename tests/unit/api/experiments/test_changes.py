"""What a patch may change: all of a draft, little of what runs, and each refusal names its field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.experiments.answers import ExperimentOut
from api.experiments.changes import (
    changed_fields,
    difference,
    patched,
    refusals,
    release_by,
    written,
)
from api.experiments.schemas import DecisionIn, ExperimentPatch
from neonblue.contract.life_cycle import Status
from neonblue.contract.violation import ContractError

Fields = dict[str, Any]
AT = datetime(2026, 3, 1, tzinfo=UTC)

ARMS = [
    {"key": "a", "name": None, "weight": 1, "is_control": True, "active": True, "payload": None},
    {
        "key": "b",
        "name": None,
        "weight": 2,
        "is_control": False,
        "active": True,
        "payload": {"colour": "red"},
    },
    {"key": "c", "name": None, "weight": 1, "is_control": False, "active": True, "payload": None},
]
CHANGES: Fields = {
    "name": "other",
    "hypothesis": "other",
    "owner": "other",
    "tags": ["other"],
    "unit_type": "device",
    "population": "assigned",
    "allocation": 6_000,
    "layer": {"key": "l", "share": 500},
    "holdouts": [],
    "targeting": "true",
    "salt": "other",
    "enrolment": "closed",
    "outside": "null",
    "planned_days": 3,
    "planned_units": 7,
    "scheduled_start_at": "2026-04-01T00:00:00Z",
    "scheduled_stop_at": "2026-06-01T00:00:00Z",
    "variants": [{"key": "b", "active": False}],
    "ramp": "standard",
}
DESCRIPTION = {"name", "hypothesis", "owner", "tags"}
WHILE_STARTED = DESCRIPTION | {
    "planned_days",
    "planned_units",
    "scheduled_stop_at",
    "allocation",
    "variants",
    "enrolment",
    "outside",
    "ramp",
}


def experiment(status: Status, **fields: Any) -> ExperimentOut:
    return ExperimentOut.model_validate(
        {
            "id": 1, "key": "e", "name": None, "hypothesis": None, "owner": None, "tags": [], "source": "internal",
            "unit_type": "user", "population": "exposed", "status": status, "salt": "s", "allocation": 5_000,
            "layer": None, "holdouts": None, "targeting": None, "enrolment": "open", "outside": "control", "version": 4,
            "variants": ARMS, "metrics": [],
            "planned_days": None, "planned_units": 1_000, "inference": "group_sequential",
            "scheduled_start_at": AT, "scheduled_stop_at": None, "decision": None, "release": None, "ramp": None,
            "created_at": AT, "started_at": None, "concluded_at": None,
        }
        | fields
    )  # fmt: skip


def refused(current: ExperimentOut, body: Fields, *, looked: bool = False) -> dict[str, str]:
    """Field → code of each refusal."""
    patch = ExperimentPatch.model_validate(body)
    before, after = written(current), patched(current, patch)
    changed = changed_fields(before, after)
    if patch.decision is not None:
        changed.add("decision")
    rules = refusals(current, before, after, changed, looked=looked)
    return {str(rule.field): str(rule.code) for rule in rules}


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED])
@pytest.mark.parametrize("field", CHANGES)
def test_of_what_runs_only_the_named_fields_change(status: Status, field: str) -> None:
    expected = {} if field in WHILE_STARTED else {field: "frozen"}
    assert refused(experiment(status), {field: CHANGES[field]}) == expected


@pytest.mark.parametrize("field", sorted(set(CHANGES) - {"variants"}))
def test_a_draft_may_change_everything(field: str) -> None:
    assert refused(experiment(Status.DRAFT), {field: CHANGES[field]}) == {}
    assert refused(experiment(Status.SCHEDULED), {field: CHANGES[field]}) == {}


@pytest.mark.parametrize(("status", "free"), [(Status.CONCLUDED, DESCRIPTION), (Status.ARCHIVED, set())])
def test_once_it_has_ended_only_its_description_changes_then_nothing(status: Status, free: set[str]) -> None:
    body = {name: value for name, value in CHANGES.items() if name != "variants"}
    assert refused(experiment(status), body) == {name: "frozen" for name in body if name not in free}


def test_every_refused_field_is_named() -> None:
    body = {"population": "assigned", "allocation": 4_999, "salt": "t", "owner": "me"}
    assert refused(experiment(Status.RUNNING), body) == {
        "population": "frozen", "allocation": "may_only_grow", "salt": "frozen",
    }  # fmt: skip


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_allocation_of_what_runs_never_shrinks(now: int, wanted: int) -> None:
    found = refused(experiment(Status.RUNNING, allocation=now), {"allocation": wanted})
    assert (found == {}) == (wanted >= now)


ARM_CHANGES: dict[str, tuple[list[Fields], dict[str, str]]] = {
    "dropping one": ([{"key": "c", "active": False}], {}),
    "another weight": ([{"key": "b", "weight": 3}], {"variants.b.weight": "frozen"}),
    "another payload": ([{"key": "b", "payload": None}], {"variants.b.payload": "frozen"}),
    "one more": ([{"key": "d"}, {"key": "a"}], {"variants.d": "frozen"}),
    "the same": ([{"key": "b", "weight": 2}, {"key": "a", "is_control": True}], {}),
}


@pytest.mark.parametrize("name", ARM_CHANGES)
def test_of_arms_that_run_only_dropping_is_allowed(name: str) -> None:
    arms, expected = ARM_CHANGES[name]
    assert refused(experiment(Status.RUNNING), {"variants": arms}) == expected


def test_a_dropped_arm_stays_dropped() -> None:
    dropped = [arm | {"active": arm["key"] != "b"} for arm in ARMS]
    body = {"variants": [{"key": "b", "active": True}]}
    assert refused(experiment(Status.PAUSED, variants=dropped), body) == {"variants.b.active": "frozen"}


@pytest.mark.parametrize(("keys", "code"), [(["a", "b"], "control_dropped"), (["b", "c"], "last_treatment")])
def test_neither_the_control_nor_the_last_treatment_is_dropped(keys: list[str], code: str) -> None:
    patch = ExperimentPatch.model_validate({"variants": [{"key": key, "active": False} for key in keys]})
    with pytest.raises(ValidationError) as error:
        patched(experiment(Status.RUNNING), patch)
    rule = error.value.errors()[0]["ctx"]["error"]
    assert isinstance(rule, ContractError)
    assert (rule.violation.code, rule.violation.field) == (code, "variants")


def test_a_group_sequential_test_keeps_a_planned_size() -> None:
    assert refused(experiment(Status.RUNNING), {"planned_units": None}) == {"planned_units": "frozen"}
    free = experiment(Status.RUNNING, inference="confidence_sequence")
    assert refused(free, {"planned_units": None}) == {}


@pytest.mark.parametrize("inference", ["group_sequential", "confidence_sequence"])
@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED])
@pytest.mark.parametrize("wanted", [999, 1_001, None])
def test_from_the_first_look_on_the_planned_size_neither_shrinks_nor_grows(
    inference: str, status: Status, wanted: int | None
) -> None:
    current = experiment(status, inference=inference)
    assert refused(current, {"planned_units": wanted}, looked=True) == {"planned_units": "frozen"}
    assert refused(current, {"planned_units": 1_000, "planned_days": 3}, looked=True) == {}


def test_the_start_of_what_is_scheduled_moves_but_stays() -> None:
    assert refused(experiment(Status.SCHEDULED), {"scheduled_start_at": None}) == {
        "scheduled_start_at": "frozen"
    }


def test_a_decision_waits_for_the_end() -> None:
    body = {"decision": {"outcome": "inconclusive", "reason": "too few"}}
    for status in Status:
        found = refused(experiment(status), body)
        assert (found == {}) == (status is Status.CONCLUDED), status


def test_a_difference_holds_what_changed_before_and_after() -> None:
    before = experiment(Status.RUNNING)
    after = before.model_copy(update={"allocation": 7_000, "tags": ["x"], "version": 5})
    assert difference(before, after) == {
        "allocation": {"before": 5_000, "after": 7_000},
        "tags": {"before": [], "after": ["x"]},
    }
    assert difference(before, before) == {}


def test_the_difference_of_what_is_new_is_what_it_says() -> None:
    told = difference(None, experiment(Status.DRAFT))
    assert told["allocation"] == {"before": None, "after": 5_000}
    assert {"name", "tags", "version", "id"}.isdisjoint(told)


def test_another_reason_for_the_same_decision_leaves_what_is_released() -> None:
    shipped = {"outcome": "ship", "variant_key": "b", "reason": "first"}
    held = {"variant_key": "a", "share": 10_000, "population": "everyone"}
    decided = experiment(Status.CONCLUDED, decision=shipped, release=held)

    same = release_by(decided, DecisionIn.model_validate(shipped | {"reason": "second"}))
    other = release_by(decided, DecisionIn.model_validate({"outcome": "roll_back", "reason": "it harms"}))

    assert same == held
    assert other == {"variant_key": "a", "share": 10_000, "population": "everyone"}
    assert release_by(decided, None) is None


def test_a_release_that_grows_goes_on_where_the_same_is_decided() -> None:
    shipped = {"outcome": "ship", "variant_key": "b", "reason": "first"}
    steps = [{"share": 100, "hold": "P1D"}, {"share": 10_000, "hold": "P1D"}]
    ramp = {"steps": steps, "step_since": "2026-03-01T00:00:00.000000Z"}
    held = {"variant_key": "b", "share": 100, "population": "targeted", "ramp": ramp}
    decided = experiment(Status.CONCLUDED, decision=shipped, release=held)

    assert release_by(decided, DecisionIn.model_validate(shipped | {"reason": "second"})) == held


def test_what_has_ended_keeps_its_allocation_beside_a_ramp() -> None:
    ramp = {"steps": [{"allocation": 100, "hold": "P1D", "units": None}], "on_breach": "pause", "position": 1}
    ended = experiment(
        Status.CONCLUDED, ramp=ramp | {"release_at_end": None, "step_since": None, "held": None}
    )

    assert not refused(ended, {"name": "another"})
