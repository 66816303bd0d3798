"""Whose word counts when a guardrail is breached."""

from __future__ import annotations

import pytest

from neonblue.guardrails.actions import action_of


@pytest.mark.parametrize("ramp", [None, "hold", "pause", "roll_back"])
@pytest.mark.parametrize("own", ["alert", "pause", "roll_back"])
def test_a_guardrails_own_word_counts_whatever_the_ramp_says(own: str, ramp: str | None) -> None:
    assert action_of(own, ramp) == own


@pytest.mark.parametrize("ramp", ["hold", "pause", "roll_back"])
def test_the_ramps_word_is_that_of_a_guardrail_that_says_nothing(ramp: str) -> None:
    assert action_of(None, ramp) == ramp


def test_without_a_word_a_breach_pauses() -> None:
    assert action_of(None, None) == "pause"
