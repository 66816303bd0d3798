"""Experiments as tables and pages: nothing is cut, nothing steers the terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.access.tokens import Scope
from api.experiments.answers import ExperimentOut
from api.metric_catalogue.schemas import MetricOut
from neonblue.cli.experiment_view import (
    Answered,
    CheckedItem,
    InExperiment,
    Met,
    asked_sentence,
    assignments_table,
    checklist_lines,
    days_running,
    decision_sentence,
    evaluations_table,
    experiment_page,
    experiments_table,
    history_table,
)
from neonblue.cli.output import print_whole
from neonblue.cli.texts import share
from neonblue.cli.token import SCOPES
from neonblue.client import Experiment, Metric, Variant
from neonblue.client.messages import (
    Denominator,
    EvaluationCount,
    Evaluations,
    ExperimentVersion,
    ExperimentWarning,
    LayerSlots,
    Ramp,
    RampStep,
    RecordedDecision,
    Release,
    WatchedMetric,
)
from neonblue.texts import person, plain

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def _version(**fields: Any) -> ExperimentVersion:
    return ExperimentVersion(
        **{"version": 2, "action": "change", "created_at": NOW, "created_by": "token:3:ada"} | fields
    )


def _printed(capsys: pytest.CaptureFixture[str], found: Any) -> str:
    print_whole(found)
    return capsys.readouterr().out


def test_a_list_cuts_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    key, owner = "k" * 256, "o" * 200

    out = _printed(capsys, experiments_table([Experiment(key=key, status="running", owner=owner)], NOW))

    assert key in out
    assert owner in out


def test_a_row_says_status_kind_allocation_owner_start_and_days(capsys: pytest.CaptureFixture[str]) -> None:
    running = Experiment(
        key="checkout", status="running", source="external", allocation=2_050, owner="ada",
        started_at=NOW - timedelta(days=2, hours=3), planned_days=14,
    )  # fmt: skip

    out = _printed(capsys, experiments_table([running], NOW))

    assert out.splitlines()[1].split() == [
        "checkout", "running", "external", "20.5", "%", "ada", "2026-03-13", "3", "of", "14",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("started", "concluded", "days"),
    [(None, None, ""), (NOW, None, "1"), (NOW - timedelta(days=9), NOW - timedelta(days=4), "6")],
)
def test_days_count_from_the_start_to_the_conclusion(
    started: datetime | None, concluded: datetime | None, days: str
) -> None:
    found = Experiment(key="a", status="running", started_at=started, concluded_at=concluded)
    assert days_running(found, NOW) == days


def test_a_page_holds_every_field_that_the_api_answers(capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, Any] = {
        "id": 7, "key": "the-key", "name": "the-name", "hypothesis": "the-hypothesis", "owner": "the-owner",
        "tags": ["the-tag"], "source": "internal", "unit_type": "the-unit", "population": "assigned",
        "status": "concluded", "salt": "the-salt", "allocation": 2_500, "layer": LayerSlots("the-layer", 0, 5_000),
        "holdouts": ["the-holdout"], "targeting": "attributes.a == 'the-target'", "version": 9,
        "enrolment": "the-enrolment", "outside": "the-outside", "rolled_back_from": "the-former",
        "release": Release(variant_key="the-released", share=1_250, population="targeted"),
        "ramp": Ramp(
            steps=[RampStep(allocation=150, hold="the-hold")], on_breach="pause", position=1, held="the-holder"
        ),
        "variants": [
            Variant("the-control", is_control=True),
            Variant("the-arm", weight=3, name="the-arm-name", payload={"colour": "the-payload"}, active=False),
        ],
        "metrics": [
            Metric(
                key="the-metric", type="ratio", event_type="the-event", aggregation="sum",
                property_filter={"p": "the-filter"}, window_seconds=3_601,
                denominator=Denominator(event_type="the-denominator", aggregation="count"),
            )
        ],
        "watched": [WatchedMetric("the-watched", version=1, place=0, since=77, active=True, on_breach="alert")],
        "planned_days": 14, "planned_units": 4_001, "inference": "the-inference", "scheduled_start_at": NOW,
        "scheduled_stop_at": NOW, "created_at": NOW,
        "warnings": [ExperimentWarning(code="c", message="the-warning", field="f")],
        "decision": RecordedDecision(outcome="ship", reason="the-reason", variant_key="the-arm"),
        "started_at": NOW, "concluded_at": NOW,
    }  # fmt: skip
    assert ExperimentOut.model_fields.keys() <= given.keys() == set(Experiment.__struct_fields__)
    assert MetricOut.model_fields.keys() <= set(Metric.__struct_fields__)

    out = _printed(capsys, experiment_page(Experiment(**given), [_version(reason="the-why")], NOW))

    for text in (
        "the-key", "concluded", "the-name", "the-hypothesis", "the-owner", "the-tag", "the-unit", "assigned",
        "the-salt", "25 %", "the-layer", "the-holdout", "the-target", "the-control", "the-arm", "75 %", "dropped",
        "the-arm-name", "the-payload", "the-metric", "ratio", "the-event", "the-filter", "3601", "the-denominator",
        "14", "4001", "the-inference", "2026-03-15 12:00Z", "decided: ship the-arm", "the-reason", "the-why",
        "look at  f: the-warning", "the-enrolment", "the-outside", "the-former",
        "the-released to 12.5 % of those targeted",
        "the-watched", "version 77", "alert",
        "1 of 1 steps taken, held: the-holder (1.5 % the-hold)",
    ):  # fmt: skip
        assert text in out, text


def test_a_decision_names_who_took_it_and_when() -> None:
    decision = RecordedDecision(outcome="ship", reason="more people finish", variant_key="b")
    made = _version(action="conclude", difference={"decision": {"before": None, "after": {}}})

    assert decision_sentence(decision, [_version(), made]) == (
        "decided: ship b, by ada (token 3) at 2026-03-15 12:00Z: more people finish"
    )
    assert (
        decision_sentence(RecordedDecision(outcome="roll_back", reason="it harms"))
        == "decided: roll back: it harms"
    )
    kept = RecordedDecision(outcome="inconclusive", reason="too few", decided_by="token:4:bo", decided_at=NOW)
    assert decision_sentence(kept, [made]) == (
        "decided: inconclusive, by bo (token 4) at 2026-03-15 12:00Z: too few"
    )


def test_history_says_what_differed_by_whom_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    difference = {"allocation": {"before": 1_000, "after": 5_000}, "tags": {"before": [], "after": ["x"]}}
    version = _version(reason="ramp", difference=difference)

    out = _printed(capsys, history_table([version]))

    for text in ("ada (token 3)", "2026-03-15 12:00Z", "allocation: 10 % → 50 %", 'tags: [] → ["x"]', "ramp"):
        assert text in out


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\r", "\x07", "\u202e", "[bold red]x[/]", "[/]", "\\"])
def test_a_text_that_someone_wrote_steers_no_terminal(capsys: pytest.CaptureFixture[str], text: str) -> None:
    hostile = Experiment(
        key="a", status="running", owner=text, name=text, variants=[Variant("a", name=text)],
        metrics=[Metric(key=text, type="mean", event_type=text, aggregation="sum")],
        decision=RecordedDecision(outcome="ship", reason=text, variant_key=text),
        warnings=[ExperimentWarning(code="c", message=text)],
    )  # fmt: skip
    version = _version(
        reason=text, created_by=f"token:1:{text}", difference={"name": {"before": text, "after": text}}
    )

    out = _printed(capsys, experiment_page(hostile, [version], NOW))
    out += _printed(capsys, experiments_table([hostile], NOW))

    assert all(sign.isprintable() or sign == "\n" for sign in out)
    assert plain(text) in out


def test_shares_and_people_are_written_for_people() -> None:
    assert [share(points) for points in (0, 1, 50, 10_000, None)] == ["0 %", "0.01 %", "0.5 %", "100 %", ""]
    assert [person(name) for name in ("token:1:a:b", "system", None)] == ["a:b (token 1)", "system", ""]


def test_the_help_lists_the_scopes_that_the_api_has() -> None:
    assert list(SCOPES) == list(Scope)


AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def evaluations(total: int, hours: int, last: datetime | None) -> Evaluations:
    return Evaluations(
        experiment="checkout",
        counted_since=AT - timedelta(days=90),
        since=AT - timedelta(hours=hours),
        until=AT,
        total=total,
        first_asked_at=last,
        last_asked_at=last,
        counts=[
            EvaluationCount(variant_key="a", reason="assigned", count=1_200),
            EvaluationCount(variant_key=None, reason="holdout", count=3),
        ],
        hours=[],
    )


@pytest.mark.parametrize(
    ("total", "hours", "last", "said"),
    [
        (0, 168, None, "checkout was not asked for in the last 7 days"),
        (0, 24, AT, "checkout was not asked for in the last 24 hours, the last time at 2026-03-01 09:00Z"),
        (1, 1, AT, "checkout was asked for once in the last hour, the last time at 2026-03-01 09:00Z"),
        (1_203, 2_160, None, "checkout was asked for 1,203 times in the last 90 days"),
        (2, 25, AT, "checkout was asked for 2 times in the last 25 hours, the last time at 2026-03-01 09:00Z"),
    ],
)  # fmt: skip
def test_how_often_a_key_was_asked_for_is_a_sentence(
    total: int, hours: int, last: datetime | None, said: str
) -> None:
    assert asked_sentence(evaluations(total, hours, last)) == said


def test_answers_are_listed_by_variant_and_reason() -> None:
    table = evaluations_table(evaluations(1_203, 24, AT))
    cells = [list(map(str, column.cells)) for column in table.columns]
    assert cells == [["a", "none"], ["assigned", "holdout"], ["1,200", "3"]]


def test_a_checklist_says_why_and_what_to_do_of_all_that_is_not_ok(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fine = CheckedItem(code="metrics", status="ok", headline="2 metrics", cause="hidden", next_step="hidden")
    bad = CheckedItem(
        code="entry", status="blocking", headline="Nobody", cause="all held", next_step="mend\x1b[2J"
    )

    out = _printed(capsys, checklist_lines([fine, bad]))

    assert [line.split() for line in out.splitlines()] == [
        ["ok", "metrics", "2", "metrics"],
        ["blocking", "entry", "Nobody"],
        ["all", "held"],
        ["mend\\u001b[2J"],
    ]


def test_a_person_has_a_line_for_each_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    items = [
        InExperiment(
            experiment="e", experiment_status="running", variant_key="a", reason="linked", assigned_at=NOW,
            exposures=[Met("a", NOW)], several_variants=True,
            now=Answered(variant_key="a", reason="assigned", served_by="experiment"),
        ),
        InExperiment(experiment="f", experiment_status="concluded", now=Answered(reason="not_targeted")),
    ]  # fmt: skip

    lines = _printed(capsys, assignments_table(items)).splitlines()

    assert "linked, several variants" in lines[1]
    assert lines[1].count("2026-03-15 12:00") == 2
    assert lines[2].split() == ["f", "concluded", "not_targeted"]
