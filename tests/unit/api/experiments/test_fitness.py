"""What may not be stored anew, and what a stored experiment is warned of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from api.experiments import payloads
from api.experiments.answers import ExperimentOut
from api.experiments.changes import patched, written
from api.experiments.fitness import unfit, warnings_of
from api.experiments.schemas import DecisionIn, ExperimentIn, ExperimentPatch
from neonblue.contract.life_cycle import Status
from tests.unit.api.experiments.test_changes import experiment

ABSENT = object()


@dataclass(frozen=True)
class Arm:
    key: str
    payload: Any = None
    active: bool = True


def arms(*given: Any) -> list[Arm]:
    return [Arm(f"arm{n}", payload) for n, payload in enumerate(given)]


ALIKE = [
    (None, None),
    ({"value": 1}, {"value": 2.5}),
    ({"value": "a"}, {"value": "b"}, {"value": "c"}),
    ({"value": True}, {"value": False}),
    ({"value": [1]}, {"value": ["a"]}),
    ({"fields": 4}, {"fields": 6}),
    ({"value": {"fields": 4}}, {"fields": 6}),
    ({"value": None}, {"value": 1}),
    ({"value": None}, {"fields": 6}),
    ({"fields": None}, {"fields": 6}),
]
UNALIKE = [
    (({"value": 1}, {"value": "1"}), "arm arm1 gives a text, arm arm0 gives a number"),
    (({"value": True}, {"value": 1}), "arm arm1 gives a number, arm arm0 gives true or false"),
    (({"value": "a"}, {"value": {"a": 1}}), "arm arm1 gives an object"),
    (({"value": 1}, {"value": 1, "unit": "s"}), "arm arm1 gives an object"),
    (({"value": [1]}, {"value": 1}), "arm arm0 gives a list"),
    ((None, {"value": 1}, {"value": "1"}), "arm arm2 gives a text, arm arm1 gives a number"),
]


@pytest.mark.parametrize("given", ALIKE)
def test_payloads_that_one_typed_read_reads_are_accepted_in_silence(given: tuple[Any, ...]) -> None:
    assert list(payloads.refusals(arms(*given))) == []
    assert list(payloads.doubts(arms(*given))) == []


@pytest.mark.parametrize(("given", "reason"), UNALIKE)
def test_payloads_of_several_types_are_refused_with_both_arms(given: tuple[Any, ...], reason: str) -> None:
    (found,) = payloads.refusals(arms(*given))
    assert (found.code, found.field) == ("payload_types", f"variants.{len(given) - 1}.payload")
    assert reason in found.message
    assert '{"value": null}' in found.message


@pytest.mark.parametrize("given", [{"value": 1}, {"value": "a"}, {"fields": 4}])
def test_an_arm_without_a_payload_beside_one_with_is_warned_of(given: Any) -> None:
    assert list(payloads.refusals(arms(None, given))) == []
    (found,) = payloads.doubts(arms(None, given))
    assert (found.code, found.field) == ("payload_types", "variants.0.payload")
    assert "arm arm0 has no payload" in found.message


def test_objects_with_other_fields_or_fields_of_other_types_are_warned_of() -> None:
    found = list(payloads.doubts(arms({"colour": "red", "size": 1}, {"color": "red", "size": "1"})))
    assert [rule.code for rule in found] == ["payload_fields", "payload_fields"]
    assert "color, colour" in found[0].message
    assert found[1].message.endswith("fields of other types than that of arm arm0: size")


def test_a_dropped_arm_is_not_looked_at() -> None:
    given = [Arm("a", {"value": 1}), Arm("b", {"value": "1"}, active=False)]
    assert list(payloads.refusals(given)) == []
    assert list(payloads.doubts([Arm("a", {"value": 1}), Arm("b", active=False)])) == []


def new(**fields: Any) -> ExperimentIn:
    body = {"key": "e", "variants": [{"key": "a", "is_control": True}, {"key": "b"}]} | fields
    return ExperimentIn.model_validate(body)


def test_a_new_experiment_is_told_everything_that_does_not_fit() -> None:
    variants = [
        {"key": "a", "is_control": True, "payload": {"value": 1}},
        {"key": "b", "payload": {"value": "1"}},
    ]
    found = unfit(None, new(targeting="attributes.version >= '1.10.0'", variants=variants))
    assert [(rule.code, rule.field) for rule in found] == [
        ("invalid_expression", "targeting"), ("payload_types", "variants.1.payload"),
    ]  # fmt: skip


MIXED = [
    {"key": "a", "is_control": True, "payload": {"value": 1}},
    {"key": "b", "payload": {"value": "1"}},
    {"key": "c"},
]


def stored_before(status: Status) -> ExperimentOut:
    """As an earlier version accepted it."""
    shown = [
        {"name": None, "weight": 1, "is_control": False, "active": True, "payload": None} | arm
        for arm in MIXED
    ]
    return experiment(status, targeting="attributes.version >= '1.10.0'", variants=shown)


@pytest.mark.parametrize(
    "patch",
    [
        {"allocation": 6_000},
        {"name": "other"},
        {"targeting": "attributes.version >= '1.10.0'"},
        {"variants": [{"key": "b", "active": False}]},
    ],
)
@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED])
def test_what_was_stored_before_can_be_changed_elsewhere(status: Status, patch: dict[str, Any]) -> None:
    current = stored_before(status)
    assert unfit(written(current), patched(current, ExperimentPatch.model_validate(patch))) == []


def test_what_was_stored_before_is_refused_where_it_is_written_again() -> None:
    current = stored_before(Status.DRAFT)
    patch = {"targeting": "attributes.version >= '1.9'", "variants": [*MIXED[:2], {"key": "d"}, {"key": "e"}]}
    found = unfit(written(current), patched(current, ExperimentPatch.model_validate(patch)))
    assert [rule.field for rule in found] == ["targeting", "variants.1.payload"]


def test_what_was_stored_before_is_warned_of() -> None:
    found = [(warning.code, warning.field) for warning in warnings_of(stored_before(Status.RUNNING))]
    assert found == [
        ("payload_types", "variants.1.payload"),
        ("payload_types", "variants.2.payload"),
        ("invalid_expression", "targeting"),
    ]


@pytest.mark.parametrize(("allocation", "warned"), [(0, False), (10, True), (99, True), (100, False)])
def test_an_allocation_that_looks_like_a_percentage_is_warned_of(allocation: int, warned: bool) -> None:
    shown = experiment(Status.DRAFT, allocation=allocation, variants=[])
    assert [warning.code for warning in warnings_of(shown)] == ["small_allocation"] * warned


@pytest.mark.parametrize(
    ("given", "stored"), [("10 %", 1_000), ("0.5%", 50), ("100 %", 10_000), ("12.34 %", 1_234), (250, 250)]
)
def test_an_allocation_is_read_as_percent_or_basis_points(given: str | int, stored: int) -> None:
    assert new(allocation=given).allocation == stored


@pytest.mark.parametrize("given", [0.1, "10", "0.1", 10.0, "101 %", "1.234 %", "ten", True])
def test_an_allocation_that_could_mean_either_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        new(allocation=given)


@pytest.mark.parametrize(("given", "shown"), [(False, "false"), (5, "5"), ("red", '"red"'), ([1], "[1]")])
def test_a_payload_that_is_no_object_is_told_how_to_write_it(given: Any, shown: str) -> None:
    with pytest.raises(ValidationError) as told:
        new(variants=[{"key": "a", "is_control": True}, {"key": "b", "payload": given}])
    assert f'{{"value": {shown}}}' in told.value.errors()[0]["msg"]


@pytest.mark.parametrize("reason", [ABSENT, None, "", "  \n"])
def test_a_decision_without_a_reason_is_told_what_it_is_for(reason: Any) -> None:
    body = {"outcome": "roll_back"} | ({} if reason is ABSENT else {"reason": reason})
    with pytest.raises(ValidationError, match="say why: the reason stands beside the decision in the report"):
        DecisionIn.model_validate(body)
