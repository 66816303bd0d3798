"""A pooled cap that leaves no variance is the reason in every part of an answer, and only where it is one."""

from __future__ import annotations

from dataclasses import replace

from msgspec.structs import replace as replace_struct

from neonblue.analysis import MomentRow, Question, ask, experiment_of
from neonblue.analysis.caps import empty_caps
from neonblue.analysis.over_time import DayEffect, day_effects
from neonblue.analysis.segmentation import Segment, SegmentEffect, segment_effects
from neonblue.analysis.windows import finished_by
from neonblue.contract.messages import MetricMessage
from tests.unit.analysis.lives import configuration, day, rows_of, valued

SPENT = MetricMessage(
    key="spent", type="mean", event_type="buy", aggregation="sum", cap_percentile="0.999", cuped=False
)
VERSIONS = {1: configuration(metrics=(SPENT,), source="external")}
REASON = (
    "Under the 99.9 % cap every unit has the value 0.00: "
    "either none has another yet, or the percentile is too low."
)
NOTHING = [valued(arm, day(1), 5_000, 0, 0, "spent") for arm in ("control", "t")]
SOMETHING = [valued(arm, day(2), 5_000, 300, 900, "spent") for arm in ("control", "t")]


def answered(rows: list[MomentRow]) -> tuple[Question, str]:
    question = ask(VERSIONS, rows_of(rows, "spent"), day(20))
    (result,) = question.answer().results
    return question, getattr(result.comparison.absolute, "message", "")


def segment(question: Question, rows: list[MomentRow]) -> SegmentEffect:
    whole = experiment_of(VERSIONS, rows_of(rows, "spent"), finished_by(question.closed_to))
    (effect,) = segment_effects({Segment("platform", "tv"): whole}, question.plan, question.caps)
    return effect


def first_day(question: Question, rows: list[MomentRow]) -> DayEffect:
    return day_effects(VERSIONS, rows_of(rows, "spent"), question)[0]


def test_every_part_names_the_cap_that_leaves_nothing() -> None:
    question, reason = answered(NOTHING)

    assert reason == REASON
    assert segment(question, NOTHING).note == REASON
    assert first_day(question, NOTHING).status == "zero_variance"
    assert first_day(question, NOTHING).status_reason == REASON


def test_a_cap_that_leaves_something_is_no_reason_where_units_are_alike() -> None:
    question, reason = answered([*NOTHING, *SOMETHING])

    assert reason == ""
    assert question.caps == {}
    assert "cap" not in segment(question, NOTHING).note
    assert "cap" not in first_day(question, [*NOTHING, *SOMETHING]).status_reason


def test_only_the_newest_version_of_a_metric_is_asked_and_nobody_is_no_value() -> None:
    older = [replace(row, metric_version=0) for row in SOMETHING]

    assert empty_caps(VERSIONS[1], rows_of([*NOTHING, *older], "spent")).keys() == {"spent"}
    assert empty_caps(VERSIONS[1], rows_of([replace(NOTHING[0], n=0)], "spent")) == {}
    uncapped = configuration(metrics=(replace_struct(SPENT, cap_percentile=None),))
    assert empty_caps(uncapped, rows_of(NOTHING, "spent")) == {}
