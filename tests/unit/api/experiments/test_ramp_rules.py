"""A ramp as it is written, and what may change of it once its experiment has started."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api.experiments import ramp_rules
from api.experiments.ramp_fields import RampIn, RampOut, WrittenRamp, as_written
from api.experiments.schemas import ExperimentIn
from neonblue.contract.life_cycle import Status
from neonblue.contract.violation import ContractError

STEPS = [{"allocation": share, "hold": "P1D"} for share in (100, 500, 2_500, 10_000)]
written = TypeAdapter(WrittenRamp).validate_python


def ramp(*steps: dict[str, Any], **fields: Any) -> RampIn:
    return RampIn.model_validate({"steps": list(steps) or STEPS} | fields)


def running(position: int, *steps: dict[str, Any]) -> RampOut:
    made = ramp(*steps).model_dump() | {"position": position, "step_since": None, "held": None}
    return RampOut.model_validate(made)


def refused(fields: dict[str, Any]) -> dict[str, str]:
    """The field and the code of the rule that a new experiment with these fields breaks."""
    body = {"key": "e", "variants": [{"key": "a", "is_control": True}, {"key": "b"}]} | fields
    with pytest.raises(ValidationError) as error:
        ExperimentIn.model_validate(body)
    (one,) = error.value.errors()
    rule = one["ctx"]["error"] if one["type"] == "value_error" else None
    if isinstance(rule, ContractError):
        place = ".".join(str(part) for part in one["loc"])
        return {".".join(part for part in (place, rule.violation.field) if part): str(rule.violation.code)}
    return {".".join(str(part) for part in one["loc"]): one["type"]}


def test_a_name_stands_for_the_steps_of_a_ready_made_ramp() -> None:
    made = written("standard")

    assert made is not None
    assert [(step.allocation, step.hold) for step in made.steps] == [
        (share, "P1D") for share in (100, 500, 1_000, 2_500, 5_000, 10_000)
    ]
    assert made.on_breach == "pause"
    careful = written("careful")
    assert careful is not None
    assert careful.on_breach == "roll_back"


def test_shares_are_percent_or_basis_points_and_durations_have_one_text() -> None:
    made = written({"steps": [{"allocation": "2.5 %", "hold": "PT24H"}, {"allocation": 300, "hold": "P1W"}]})

    assert made is not None
    assert [(step.allocation, step.hold) for step in made.steps] == [(250, "P1D"), (300, "P7D")]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ramp": "fast"}, "invalid"),
        ({"ramp": {"steps": []}}, "too_short"),
        ({"ramp": {"steps": STEPS * 13}}, "too_long"),
        ({"ramp": {"steps": [{"allocation": 0, "hold": "P1D"}]}}, "may_only_grow"),
        ({"ramp": {"steps": [STEPS[1], STEPS[1]]}}, "may_only_grow"),
        ({"ramp": {"steps": [STEPS[1], STEPS[0]]}}, "may_only_grow"),
        ({"ramp": {"steps": [{"allocation": 10_001, "hold": "P1D"}]}}, "less_than_equal"),
        ({"ramp": {"steps": [{"allocation": 1, "hold": "P1M"}]}}, "invalid"),
        ({"ramp": {"steps": [{"allocation": 1, "hold": "PT0S"}]}}, "value_out_of_range"),
        ({"ramp": {"steps": [{"allocation": 1, "hold": "P366D"}]}}, "value_out_of_range"),
        ({"ramp": {"steps": [{"allocation": 1, "hold": 60}]}}, "string_type"),
        ({"ramp": {"steps": [{"allocation": 1, "hold": "P1D", "units": 0}]}}, "greater_than_equal"),
        ({"ramp": {"steps": STEPS, "on_breach": "alert"}}, "literal_error"),
        ({"ramp": {"steps": STEPS, "release_at_end": {"variant_key": "a"}}}, "unknown_variant"),
        ({"ramp": {"steps": STEPS, "release_at_end": {"variant_key": "z"}}}, "unknown_variant"),
        ({"ramp": "standard", "source": "external"}, "internal_only"),
    ],
)
def test_a_ramp_that_makes_no_sense_is_refused_by_its_field(fields: dict[str, Any], code: str) -> None:
    ((field, found),) = refused(fields).items()

    assert found == code
    assert field.startswith("ramp")


@pytest.mark.parametrize(
    ("after", "places"),
    [
        (STEPS, []),
        ([*STEPS[:2], {"allocation": 600, "hold": "P9D"}], []),
        ([*STEPS[:2]], []),
        ([STEPS[0], {"allocation": 500, "hold": "P2D"}, STEPS[3]], ["ramp.steps.1"]),
        ([STEPS[0], {"allocation": 500, "hold": "P1D", "units": 5}, STEPS[3]], ["ramp.steps.1"]),
        ([STEPS[0]], ["ramp.steps.1"]),
        ([{"allocation": 50, "hold": "P1D"}, *STEPS], ["ramp.steps.0", "ramp.steps.1"]),
    ],
)
def test_what_was_taken_stays_and_what_is_to_come_may_change(
    after: list[dict[str, Any]], places: list[str]
) -> None:
    found = list(ramp_rules.refusals(running(2), ramp(*after)))

    assert [(rule.field, rule.code) for rule in found] == [(place, "frozen") for place in places]


def test_a_ramp_may_be_taken_away_and_what_has_none_may_get_one() -> None:
    assert list(ramp_rules.refusals(running(2), None)) == []
    assert list(ramp_rules.refusals(None, ramp())) == []


def test_the_word_on_breaches_and_the_end_may_change_while_it_runs() -> None:
    other = ramp(on_breach="roll_back", release_at_end={"variant_key": "b"})

    assert list(ramp_rules.refusals(running(4), other)) == []


@given(st.integers(0, 4), st.integers(0, 10_000), st.sampled_from(Status))
def test_a_ramp_goes_on_after_every_step_that_the_allocation_has_reached(
    taken: int, allocation: int, status: Status
) -> None:
    found = ramp_rules.position(status, running(taken), ramp(), allocation)

    if status in ("running", "paused"):
        reached = sum(step["allocation"] <= allocation for step in STEPS)  # type: ignore[operator]
        assert found == max(taken, reached)
    else:
        assert found == 0


@pytest.mark.parametrize(("given_", "refused_"), [(None, False), (100, False), (500, True), (0, True)])
def test_the_allocation_of_a_draft_is_its_ramps_first_step(given_: int | None, refused_: bool) -> None:
    assert (ramp_rules.start_refusal(given_, ramp()) is not None) is refused_
    assert ramp_rules.first_share(Status.DRAFT, ramp()) == 100
    for status in set(Status) - {Status.DRAFT, Status.SCHEDULED}:
        assert ramp_rules.first_share(status, ramp()) is None, status
    assert ramp_rules.first_share(Status.DRAFT, None) is None


def test_what_is_read_can_be_written_again() -> None:
    assert written(as_written(running(3))) == ramp()
    assert as_written(None) is None
