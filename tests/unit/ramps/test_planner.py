"""What a ramp does next: every case by name, and what holds in all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.ramps.plan import Ramp, RampStep
from neonblue.ramps.planner import NOT_JUDGED, Action, Breached, Evidence, Standing, next_action, outlook

DAY = timedelta(days=1)
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
STEPS = (RampStep(100, DAY, 50), RampStep(500, DAY), RampStep(10_000, DAY, 900))
RAMP = Ramp(STEPS)
CLEAN = Evidence(units=1_000, breached=())
HARM = "errors is breached in b"


def standing(**fields: Any) -> Standing:
    neutral: dict[str, Any] = {"share": 100, "position": 1, "since": SINCE}
    return Standing(**(neutral | fields))


def breach(*actions: str) -> Evidence:
    return Evidence(1_000, tuple(Breached(action, f"{HARM} ({action})") for action in actions))


@pytest.mark.parametrize(
    ("state", "after", "evidence", "action", "why"),
    [
        ({}, DAY, CLEAN, "advance", "step 2 of 3, 5 %"),
        ({}, DAY - timedelta(microseconds=1), CLEAN, "wait", "step 1 holds until then"),
        ({}, -DAY, CLEAN, "wait", "step 1 holds until then"),  # the clock went back
        ({}, DAY, Evidence(49, ()), "wait", "49 of 50 units are in"),
        ({}, DAY, Evidence(50, ()), "advance", "step 2 of 3, 5 %"),
        ({}, DAY, Evidence(None, ()), "wait", "its units can't be counted now"),
        ({}, DAY, Evidence(1_000, None), "wait", NOT_JUDGED),
        ({"since": None}, DAY, CLEAN, "wait", "it is not known since when its share is what it is"),
        ({"share": 500, "position": 2}, DAY, Evidence(None, ()), "advance", "step 3 of 3, 100 %"),
        ({"share": 0, "position": 0, "since": None}, DAY, CLEAN, "advance", "step 1 of 3, 1 %"),
        ({"share": 0, "position": 0}, DAY, Evidence(1, None), "wait", NOT_JUDGED),
        ({"share": 10_000, "position": 3}, 9 * DAY, CLEAN, "wait", "every step is taken"),
        # A person raised the share: past a step, between two, past all of them.
        ({"share": 500, "position": 1}, DAY, CLEAN, "advance", "step 3 of 3, 100 %"),
        ({"share": 300, "position": 1}, DAY, CLEAN, "advance", "step 2 of 3, 5 %"),
        ({"share": 700, "position": 1}, DAY, CLEAN, "advance", "step 3 of 3, 100 %"),
        ({"share": 10_000, "position": 1}, DAY, CLEAN, "wait", "every step is taken"),
        ({"held": "a holiday"}, DAY, CLEAN, "wait", "it is held: a holiday"),
        ({"runs": False}, DAY, CLEAN, "wait", "it does not run"),
        ({"runs": False}, DAY, breach("pause"), "wait", "it does not run"),
        ({"takes_in": False}, DAY, CLEAN, "wait", "its enrolment is closed: a larger share would take in nobody"),
        ({}, DAY, breach("hold"), "hold", f"{HARM} (hold)"),
        ({}, timedelta(0), breach("pause"), "pause", f"{HARM} (pause)"),
        ({}, timedelta(0), breach("roll_back"), "roll_back", f"{HARM} (roll_back)"),
        ({}, DAY, breach("alert"), "wait", f"{HARM} (alert)"),
        ({}, DAY, breach("hold", "alert", "roll_back", "pause"), "roll_back", f"{HARM} (roll_back)"),
        ({}, DAY, breach("hold", "alert", "hold"), "hold", f"{HARM} (hold); {HARM} (hold)"),
        ({"held": "x"}, DAY, breach("hold"), "wait", f"{HARM} (hold)"),
        ({"held": "x"}, DAY, breach("pause"), "pause", f"{HARM} (pause)"),
        ({"takes_in": False}, DAY, breach("roll_back"), "roll_back", f"{HARM} (roll_back)"),
        ({"share": 10_000, "position": 3}, DAY, breach("pause"), "pause", f"{HARM} (pause)"),
    ],
)  # fmt: skip
def test_the_next_action_and_why(
    state: dict[str, Any], after: timedelta, evidence: Evidence, action: str, why: str
) -> None:
    found = next_action(RAMP, standing(**state), SINCE + after, evidence)

    assert (found.action, found.why) == (action, why)


def test_a_wait_for_time_says_until_when() -> None:
    assert next_action(RAMP, standing(), SINCE, CLEAN).until == SINCE + DAY


@pytest.mark.parametrize(
    ("after", "evidence", "action"),
    [
        (DAY, CLEAN, "conclude"),
        (DAY, Evidence(899, ()), "wait"),
        (DAY, Evidence(900, None), "wait"),
        (DAY, breach("alert"), "wait"),
        (DAY / 2, CLEAN, "wait"),
    ],
)
def test_the_last_step_concludes_where_that_was_chosen(
    after: timedelta, evidence: Evidence, action: str
) -> None:
    last = standing(share=10_000, position=3)

    assert next_action(replace(RAMP, concludes=True), last, SINCE + after, evidence).action == action


def test_a_release_ramps_by_time_alone() -> None:
    ramp = Ramp((RampStep(5_000, DAY), RampStep(10_000, DAY)))
    half = Standing(share=5_000, position=1, since=SINCE)

    assert next_action(ramp, half, SINCE + DAY / 2, Evidence(None, ())).action is Action.WAIT
    assert next_action(ramp, half, SINCE + DAY, Evidence(None, ())).share == 10_000


@pytest.mark.parametrize(
    ("state", "share", "until"),
    [
        ({}, 500, SINCE + DAY),
        ({"runs": False, "held": "x"}, 500, SINCE + DAY),
        ({"since": None}, 500, None),
        ({"position": 0, "share": 50}, 100, None),
    ],
)
def test_the_outlook_is_the_next_step_and_when_its_time_comes(
    state: dict[str, Any], share: int, until: datetime | None
) -> None:
    found = outlook(RAMP, standing(**state))

    assert found is not None
    assert (found.action, found.share, found.until) == (Action.ADVANCE, share, until)


def test_after_the_last_step_nothing_comes_but_the_conclusion_that_was_chosen() -> None:
    last = standing(share=10_000, position=3)
    chosen = outlook(replace(RAMP, concludes=True), last)

    assert outlook(RAMP, last) is None
    assert chosen is not None
    assert (chosen.action, chosen.until) == (Action.CONCLUDE, SINCE + DAY)


ACTIONS = ("alert", "hold", "pause", "roll_back")
shares = st.lists(st.integers(1, 10_000), min_size=1, max_size=8, unique=True).map(sorted)


@st.composite
def ramps(draw: st.DrawFn) -> Ramp:
    return Ramp(
        tuple(
            RampStep(
                share,
                timedelta(hours=draw(st.integers(1, 48))),
                draw(st.none() | st.integers(1, 1_000)),
            )
            for share in draw(shares)
        ),
        draw(st.booleans()),
    )


evidences = st.builds(
    Evidence,
    units=st.none() | st.integers(0, 1_100),
    breached=st.sampled_from(((), (), None))
    | st.lists(st.builds(Breached, st.sampled_from(ACTIONS), st.just(HARM)), max_size=2).map(tuple),
)
standings = st.builds(
    Standing,
    share=st.integers(0, 10_000),
    position=st.integers(0, 8),
    since=st.sampled_from((*range(-100, 20), None)).map(
        lambda h: None if h is None else SINCE + timedelta(hours=h)
    ),
    held=st.sampled_from((None, None, None, "held")),
    runs=st.sampled_from((True, True, True, False)),
    takes_in=st.sampled_from((True, True, True, False)),
)


@given(ramps(), standings, evidences)
def test_it_goes_on_exactly_where_nothing_speaks_against_it(
    ramp: Ramp, state: Standing, evidence: Evidence
) -> None:
    state = replace(state, position=min(state.position, len(ramp.steps)))
    found = next_action(ramp, state, SINCE, evidence)

    taken = [step for n, step in enumerate(ramp.steps) if n < state.position or step.share <= state.share]
    left = [step for step in ramp.steps if step not in taken]
    watched = not taken or (
        state.since is not None
        and SINCE - state.since >= taken[-1].hold
        and (taken[-1].units is None or (evidence.units is not None and evidence.units >= taken[-1].units))
    )
    free = state.runs and state.takes_in and state.held is None and evidence.breached == ()
    goes_on = free and watched and (bool(left) or ramp.concludes)
    assert (found.action in (Action.ADVANCE, Action.CONCLUDE)) is goes_on
    if found.action is Action.ADVANCE:
        assert (found.share, found.position) == (left[0].share, ramp.steps.index(left[0]) + 1)
        assert left[0].share > state.share
    elif goes_on:
        assert left == []


@given(ramps(), standings, st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=4))
def test_a_breach_is_acted_on_by_the_word_that_takes_most_back(
    ramp: Ramp, state: Standing, actions: list[str]
) -> None:
    named = set(actions) - ({"hold"} if state.held is not None else set())
    expected = next((action for action in ("roll_back", "pause", "hold") if action in named), "wait")

    found = next_action(ramp, state, SINCE, breach(*actions)).action

    assert found == (expected if state.runs else "wait")


moves = st.lists(
    st.tuples(st.integers(-30, 60), evidences, st.none() | st.integers(0, 10_000), st.booleans()), max_size=40
)


@given(ramps(), moves)
def test_the_share_never_shrinks_and_no_step_is_left_out(
    ramp: Ramp, moves: list[tuple[int, Evidence, int | None, bool]]
) -> None:
    """Over whole lives: the clock jumps, evidence comes and goes, a person raises the share, two look at once."""
    state, now = Standing(share=ramp.steps[0].share, position=1, since=SINCE), SINCE
    for hours, evidence, raised, twice in moves:
        now += timedelta(hours=hours)
        if raised is not None and raised > state.share:
            state = replace(state, share=raised, position=ramp.reached(raised), since=now)
        for _ in range(1 + twice):
            found = next_action(ramp, state, now, evidence)
            if found.action is not Action.ADVANCE:
                break
            assert found.share is not None
            assert found.position is not None
            assert found.share == min(step.share for step in ramp.steps if step.share > state.share)
            assert now - (state.since or now) >= ramp.steps[
                ramp.reached(state.share) - 1
            ].hold or not ramp.reached(state.share)
            state = replace(state, share=found.share, position=found.position, since=now)
            assert next_action(ramp, state, now, evidence).action is not Action.ADVANCE  # taken once
