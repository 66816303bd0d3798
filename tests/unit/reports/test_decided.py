"""The page of each status with each decision: what people decided, what the data said, and the line under the title."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from neonblue.contract.messages import DecisionMessage
from neonblue.reports import (
    ExperimentLine,
    ExperimentReport,
    Outcome,
    Overview,
    Provenance,
    Said,
    render_overview,
    render_report,
)
from tests.unit.findings.test_heading import DECISIONS, HOSTILE, about, decided
from tests.unit.reports.conftest import FIRST
from tests.unit.reports.test_page import Page


def words(text: str) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", text[text.index("<body>") :]).split()))


pytestmark = pytest.mark.usefixtures("drawn_once")

STATUSES = ("draft", "scheduled", "running", "paused", "concluded", "archived")


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", [None, *DECISIONS])
def test_every_status_with_every_decision_has_a_whole_page(
    whole: ExperimentReport, status: str, name: str | None
) -> None:
    decision, title, _ = DECISIONS[name] if name else (None, "", None)

    text = render_report(replace(whole, about=about(status, decision), units=42_310))

    page = Page(text)
    assert page.misplaced == page.open == []
    assert f"{title} " in words(text)
    assert f"status {status}" in words(text)
    assert "units 42,310 of 10,000 planned" in words(text)
    assert "owner ada@example.com" in words(text)
    if decision:
        assert "Reason: conversion up" in words(text)
        assert words(text).index(title) < words(text).index("The data said: ") < words(text).index("Metrics")


def test_what_people_wrote_is_text(whole: ExperimentReport) -> None:
    one = about("concluded", decided("inconclusive", reason=HOSTILE), owner=HOSTILE, name=HOSTILE)

    text = render_report(replace(whole, about=one, title=HOSTILE, hypothesis=HOSTILE))

    assert Page(text).of("script") == []
    assert not set(text) & set("\x1b\x07\u202e\u2066")
    assert "<script>alert(1)</script>" in words(text)


def test_the_overview_has_the_decision_of_each_experiment(provenance: Provenance) -> None:
    ship: DecisionMessage = DECISIONS["ship"][0]
    line = ExperimentLine(
        "a", "Button", "concluded", Said(Outcome.ROLL_BACK, "Roll back treatment: errors.", "treatment"), 42_000,
        about=about("concluded", ship),
    )  # fmt: skip

    text = words(render_overview(Overview(FIRST, FIRST, (line,), provenance)))

    assert "Decided: ship treatment" in text
    assert "by bootstrap (token 1) on 2026-03-05 11:30Z. Reason: conversion up" in text
    assert "The data said: Roll back treatment: errors." in text
    assert "The decision is not what the data said." in text


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        (Outcome.NOT_BUILT, "Not built yet"),
        (Outcome.ON_ITS_WAY, "On its way"),
        (Outcome.TOO_EARLY, "Too early"),
    ],
)
def test_without_numbers_no_verdict_stands_first(
    whole: ExperimentReport, outcome: Outcome, title: str
) -> None:
    text = words(render_report(replace(whole, said=Said(outcome, "The next build begins at 20:05."))))

    assert f"{title} The next build begins at 20:05." in text
