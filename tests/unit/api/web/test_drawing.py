"""Intervals on one axis: within it, in order, and with an arrow where they go on."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.shared.drawing import axis_of, interval_of
from neonblue.findings.effect import Effect
from neonblue.findings.effects import effect_of_item
from tests.unit.api.web import made

CHANGES = st.floats(-10, 10, allow_nan=False)
ENDS = st.none() | CHANGES


def effect(lift: float | None, low: float | None, high: float | None, **fields: object) -> Effect:
    item = made.item(relative_lift=lift, relative_ci_low=low, relative_ci_high=high, **fields)
    return effect_of_item(asdict(item))


def place(text: str) -> float:
    assert text.endswith("%")
    return float(text[:-1])


@given(
    st.lists(
        st.tuples(CHANGES, ENDS, ENDS, st.sampled_from(["better", "worse", "undecided", "unknown"])),
        max_size=5,
    )
)
def test_whatever_is_drawn_lies_on_the_axis_in_its_order(
    found: list[tuple[float, float, float, str]],
) -> None:
    effects = [
        effect(
            lift,
            None if low is None else min(low, lift),
            None if high is None else max(high, lift),
            verdict=verdict,
        )
        for lift, low, high, verdict in found
    ]
    axis = axis_of(effects)
    ticks = [place(tick.x) for tick in axis.ticks]
    assert ticks == [0, 25, 50, 75, 100]
    for each in effects:
        drawn = interval_of(each, axis)
        assert drawn is not None
        assert drawn.mark is not None  # every estimate is on the axis
        assert 0 <= place(drawn.low) <= place(drawn.mark) <= place(drawn.high) <= 100
        assert drawn.off_left == (each.lift_lower is None or each.lift_lower < -axis.reach)
        assert drawn.off_right == (each.lift_upper is None or each.lift_upper > axis.reach)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"verdict": "better"}, "better"),
        ({"verdict": "worse"}, "worse"),
        ({"verdict": "undecided"}, ""),
        ({"verdict": "unknown"}, ""),
        ({"guardrail": "held", "verdict": "undecided"}, "better"),
        ({"guardrail": "breached", "verdict": "undecided"}, "worse"),
        ({"guardrail": "open", "verdict": "undecided"}, ""),
        ({"guardrail": "open", "verdict": "worse"}, "worse"),
        ({"guardrail": "open", "verdict": "better"}, ""),
    ],
)
def test_colour_is_for_what_is_decided(fields: dict[str, str], kind: str) -> None:
    drawn = interval_of(effect(0.05, 0.01, 0.09, **fields), axis_of([]))
    assert drawn is not None
    assert drawn.kind == kind


def test_what_has_no_relative_change_is_not_drawn() -> None:
    assert interval_of(effect(None, None, None), axis_of([])) is None


def test_the_axis_names_its_ends() -> None:
    assert axis_of([effect(0.083, 0.01, 0.09)]).ends == "−10\u00a0% to +10\u00a0%"
    assert [tick.label for tick in axis_of([effect(0.0012, 0, 1)]).ticks][::4] == [
        "−0.2\u00a0%",
        "+0.2\u00a0%",
    ]


def test_a_wide_interval_that_is_not_decided_does_not_hide_the_others() -> None:
    decided = effect(0.05, 0.02, 0.08, verdict="better")
    assert axis_of([decided]).reach == axis_of([decided, effect(0.01, -5, 9)]).reach == 0.1
    assert axis_of([decided, effect(0.01, -0.15, 0.17)]).reach == 0.2
    assert axis_of([effect(0.0, -0.0, 0.0)]).reach == 0.2
