"""Which arm is control, and what is said where there is nothing to draw."""

from __future__ import annotations

from dataclasses import replace

from neonblue.reports import ExperimentReport, Provenance, render_report
from neonblue.reports.from_analysis import methods_of, report_of_analysis
from neonblue.reports.model import Unavailable
from neonblue.reports.sections import sections_of
from neonblue.statistics import Inference, Metric, MetricKind, Plan, analyze
from neonblue.statistics.experiment.from_table import experiment_from_sums


def test_control_comes_first_wherever_it_stands_among_the_arms(provenance: Provenance) -> None:
    sums = {"mens": 1_828, "none": 1_062, "womens": 1_514}
    rows = [
        {"metric": "visit", "variant": arm, "n": "10000", "sum": str(visits)} for arm, visits in sums.items()
    ]
    experiment = experiment_from_sums(rows, {"visit": Metric("visit", MetricKind.PROPORTION)}, "none", None)
    plan = Plan()

    report = report_of_analysis("mail", "Mail", experiment, plan, analyze(experiment, plan), provenance)

    assert report.arms == ("none", "mens", "womens")
    assert not isinstance(report.shares, Unavailable)
    assert [share.arm for share in report.shares] == ["none", "mens", "womens"]
    assert {effect.control for effect in report.effects} == {0.1062}
    assert 'data-label="none"' in render_report(report)


def test_one_day_is_no_course(whole: ExperimentReport) -> None:
    assert not isinstance(whole.sequences, Unavailable)
    assert not isinstance(whole.exposures, Unavailable)
    sequences = tuple(replace(line, points=line.points[:1]) for line in whole.sequences)
    exposures = tuple(row for row in whole.exposures if row.day == whole.exposures[0].day)

    sections = {
        section.anchor: section
        for section in sections_of(replace(whole, sequences=sequences, exposures=exposures))
    }

    for anchor in ("over-time", "daily"):
        assert sections[anchor].drawings == ()
        assert (
            sections[anchor].reason == "All units entered on one day: there is nothing to compare over time."
        )


def methods(plan: Plan) -> str:
    sums = {"a": 1_062, "b": 1_314}
    rows = [{"metric": "visit", "variant": arm, "n": "10000", "sum": str(n)} for arm, n in sums.items()]
    experiment = experiment_from_sums(rows, {"visit": Metric("visit", MetricKind.PROPORTION)}, "a", None)
    return " ".join(methods_of(plan, analyze(experiment, plan)))


def test_the_methods_are_those_that_were_used() -> None:
    fixed, sequence, sequential = (
        methods(plan)
        for plan in (
            Plan(ended=True),
            Plan(inference=Inference.CONFIDENCE_SEQUENCE),
            Plan(inference=Inference.GROUP_SEQUENTIAL, planned_units=20_000),
        )
    )

    assert "tested by chi-square" in fixed
    assert "Tests of the differences: the unpooled z-test of proportions." in fixed
    for watched in (sequence, sequential):
        assert "tested by an e-value" in watched
        assert "Tests of the differences" not in watched
    assert "chi-square" not in sequence
    assert "once more by chi-square at the end" in sequential
    assert "the p-values are the sequence's own" in sequence
    assert "against that look's bound" in sequential


def test_what_a_section_with_one_drawing_says_is_not_said_twice(whole: ExperimentReport) -> None:
    text = render_report(whole)

    assert "<figcaption>" not in text[text.index('id="effects"') : text.index('id="over-time"')]
    assert whole.effects[0].metric in text
