"""What stands first: each status of an experiment with each decision, beside what the data say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from neonblue.analysis.about import About, about_of
from neonblue.analysis.why import State
from neonblue.contract.messages import DecisionMessage, ExperimentMessage, MetricMessage, VariantMessage
from neonblue.findings.facts import facts_of
from neonblue.findings.heading import heading_of
from neonblue.findings.said import Outcome, Said, said_of
from neonblue.statistics import Action
from neonblue.texts import person, plain

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
END = START + timedelta(days=4, hours=2)
SHIP = Said(Outcome.SHIP, "Ship treatment: conversion +24.5 %.", "treatment")
ROLL_BACK = Said(Outcome.ROLL_BACK, "Roll back treatment: errors +57.2 %.", "treatment")
OPEN = Said(Outcome.KEEP_RUNNING, "Keep running: 4,000 units so far, no verdict yet.")
UNCLEAR = Said(Outcome.INCONCLUSIVE, "No decision: conversion +1.00 %.")
BROKEN = Said(Outcome.INVALID, "Do not use these results. Units per arm do not fit.")
EMPTY = Said(Outcome.NO_DATA, "No unit has been exposed yet.")
ALL = (SHIP, ROLL_BACK, OPEN, UNCLEAR, BROKEN, EMPTY)


def snapshot(
    status: str = "running", decision: DecisionMessage | None = None, **fields: object
) -> ExperimentMessage:
    ended = status in ("concluded", "archived")
    usual = ExperimentMessage(
        experiment_id=1, key="checkout", source="internal", unit_type="user", population="exposed", status=status,
        version=3, salt="s", allocation=2_500, received_at="2026-03-01T09:30:00.000000Z", owner="ada@example.com",
        variants=[
            VariantMessage(key="treatment", name="Blue button", weight=3),
            VariantMessage(key="control", weight=1, is_control=True),
            VariantMessage(key="green", weight=2, active=False),
        ],
        metrics=[MetricMessage(key="conversion", type="proportion", event_type="buy", aggregation="any")],
        planned_days=14, planned_units=10_000,
        started_at=None if status in ("draft", "scheduled") else START.isoformat(),
        concluded_at=END.isoformat() if ended else None,
        decision=decision,
    )  # fmt: skip
    return msgspec.structs.replace(usual, **fields)


def about(status: str = "running", decision: DecisionMessage | None = None, **fields: object) -> About:
    return about_of(snapshot(status, decision, **fields), START + timedelta(days=4, hours=1))


def decided(outcome: str, arm: str | None = None, reason: str = "conversion up") -> DecisionMessage:
    return DecisionMessage(
        outcome=outcome,
        variant_key=arm,
        reason=reason,
        decided_by="token:1:bootstrap",
        decided_at=END.isoformat(),
    )


DECISIONS = {
    "ship": (decided("ship", "treatment"), "Decided: ship treatment", Outcome.SHIP),
    "roll_back": (decided("roll_back"), "Decided: roll back", Outcome.ROLL_BACK),
    "inconclusive": (decided("inconclusive"), "Decided: inconclusive", Outcome.INCONCLUSIVE),
}


@pytest.mark.parametrize("status", ["concluded", "archived"])
@pytest.mark.parametrize("source", ["internal", "external"])
@pytest.mark.parametrize("name", list(DECISIONS))
@pytest.mark.parametrize("said", ALL, ids=lambda said: said.outcome.value)
def test_a_recorded_decision_stands_first_with_who_when_and_why(
    status: str, source: str, name: str, said: Said
) -> None:
    decision, title, kind = DECISIONS[name]

    heading = heading_of(about(status, decision, source=source), said)

    assert (heading.title, heading.kind) == (title, kind)
    assert heading.people == "by bootstrap (token 1) on 2026-03-05 11:30Z. Reason: conversion up"
    assert heading.data.startswith("The data said: ")
    assert heading.data.endswith(said.sentence)


@pytest.mark.parametrize(
    ("name", "agreeing"),
    [
        ("ship", {Outcome.SHIP}),
        ("roll_back", {said.outcome for said in ALL} - {Outcome.SHIP}),
        ("inconclusive", {Outcome.KEEP_RUNNING, Outcome.INCONCLUSIVE, Outcome.INVALID, Outcome.NO_DATA}),
    ],
)
def test_a_decision_that_is_not_what_the_data_said_is_told(name: str, agreeing: set[Outcome]) -> None:
    decision = DECISIONS[name][0]

    silent = {said.outcome for said in ALL if not heading_of(about("concluded", decision), said).warning}

    assert silent == agreeing


def test_shipping_another_arm_than_the_data_would_is_told() -> None:
    other = Said(Outcome.SHIP, "Ship green: conversion +24.5 %.", "green")

    assert heading_of(about("concluded", decided("ship", "treatment")), other).warning


def test_a_decision_of_an_older_version_says_that_nobody_was_kept() -> None:
    old = msgspec.json.decode(
        b'{"outcome":"ship","variant_key":"treatment","reason":"up"}', type=DecisionMessage
    )

    heading = heading_of(about("concluded", old), SHIP)

    assert heading.people == "by whom was not kept on 2026-03-05 11:30Z. Reason: up"


@pytest.mark.parametrize(
    ("status", "source", "said", "title", "data"),
    [
        ("draft", "internal", EMPTY, "Draft: not started", EMPTY.sentence),
        ("scheduled", "internal", EMPTY, "Scheduled: not started", EMPTY.sentence),
        ("running", "internal", OPEN, "Keep running", OPEN.sentence),
        ("running", "internal", SHIP, "Ship", SHIP.sentence),
        ("running", "internal", EMPTY, "No data yet", EMPTY.sentence),
        ("paused", "internal", OPEN, "Paused", f"The data say: {OPEN.sentence}"),
        ("concluded", "internal", ROLL_BACK, "Concluded: no decision recorded", f"The data say: {ROLL_BACK.sentence}"),
        ("archived", "internal", UNCLEAR, "Archived: no decision recorded", f"The data say: {UNCLEAR.sentence}"),
        ("concluded", "external", SHIP, "Ship", SHIP.sentence),
        ("running", "external", UNCLEAR, "No decision", UNCLEAR.sentence),
    ],
)  # fmt: skip
def test_without_a_decision_the_status_and_the_data_speak(
    status: str, source: str, said: Said, title: str, data: str
) -> None:
    heading = heading_of(about(status, source=source), said)

    assert (heading.title, heading.data, heading.people, heading.warning) == (title, data, "", "")


def test_an_archived_draft_never_started() -> None:
    assert heading_of(about("archived", started_at=None), EMPTY).title == "Archived: never started"


def test_a_file_has_no_status() -> None:
    heading = heading_of(None, SHIP)

    assert (heading.title, heading.data) == ("Ship", SHIP.sentence)


WITHOUT_NUMBERS = {
    State.NOT_INGESTED: Outcome.NO_DATA,
    State.NOT_STARTED: Outcome.NO_DATA,
    State.NOT_BUILT: Outcome.NOT_BUILT,
    State.ON_ITS_WAY: Outcome.ON_ITS_WAY,
    State.NO_DATA: Outcome.NO_DATA,
    "a_status_of_a_later_version": Outcome.NO_DATA,
}
ACTIONS = (None, *Action)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("status", list(WITHOUT_NUMBERS))
def test_without_numbers_the_reason_stands_for_a_verdict(status: str, action: str | None) -> None:
    assert said_of(status, "Why.", action, "What.", "blue") == Said(WITHOUT_NUMBERS[status], "Why.")


@pytest.mark.parametrize("action", ACTIONS)
def test_with_numbers_the_decision_speaks(action: str | None) -> None:
    expected = Said(Outcome(action), "What.", "blue") if action else Said(Outcome.NO_DATA, "Why.")

    assert said_of(State.OK, "Why.", action, "What.", "blue") == expected


@pytest.mark.parametrize("action", ACTIONS)
def test_too_early_stands_for_what_decides_nothing_and_for_nothing_else(action: str | None) -> None:
    undecided = action in (None, Action.KEEP_RUNNING, Action.INCONCLUSIVE)
    expected = Said(Outcome.TOO_EARLY, "Why.") if undecided else Said(Outcome(action), "What.", "blue")

    assert said_of(State.TOO_EARLY, "Why.", action, "What.", "blue") == expected


def test_every_state_is_met() -> None:
    assert {*WITHOUT_NUMBERS, State.OK, State.TOO_EARLY} >= set(State)


def facts(one: About, units: int | None = 4_000) -> dict[str, str]:
    return dict(facts_of(one, units))


def test_the_line_under_the_title_says_where_the_experiment_stands() -> None:
    assert facts(about(scheduled_stop_at="2026-03-15T09:30:00Z")) == {
        "status": "running since 2026-03-01 09:30Z until 2026-03-15 09:30Z",
        "day": "5 of 14",
        "units": "4,000 of 10,000 planned",
        "split": "control 25 %, treatment (Blue button) 75 %, green dropped",
        "traffic": "25 %",
        "owner": "ada@example.com",
    }


@pytest.mark.parametrize(
    ("one", "status", "day"),
    [
        (about("draft"), "draft", None),
        (about("scheduled"), "scheduled", None),
        (
            about("scheduled", scheduled_start_at="2026-03-01T09:30:00Z"),
            "scheduled to start 2026-03-01 09:30Z",
            None,
        ),
        (about("running"), "running since 2026-03-01 09:30Z", "5 of 14"),
        (about("running", planned_days=None), "running since 2026-03-01 09:30Z", "5"),
        (about("paused"), "paused, started 2026-03-01 09:30Z", "5 of 14"),
        (about("concluded"), "concluded, ran from 2026-03-01 09:30Z to 2026-03-05 11:30Z", "5 of 14"),
        (about("archived"), "archived, ran from 2026-03-01 09:30Z to 2026-03-05 11:30Z", "5 of 14"),
        (about("running", source="external"), "running, collected elsewhere", None),
    ],
)
def test_every_status_has_its_dates(one: About, status: str, day: str | None) -> None:
    shown = facts(one, None)

    assert shown["status"] == status
    assert shown.get("day") == day
    assert "units" not in shown


def test_nobody_named_is_said() -> None:
    assert facts(about(owner=None))["owner"] == "nobody named"


HOSTILE = "\x1b[2J\x1b]0;owned\x07 <script>alert(1)</script>\r\n\u202egnp.exe\u2066 [red]"


def test_what_people_wrote_steers_no_terminal_and_reorders_no_line() -> None:
    one = about("concluded", decided("inconclusive", reason=HOSTILE), owner=HOSTILE)
    texts = [
        heading_of(one, UNCLEAR).people,
        *facts(one).values(),
        person(f"token:7:{HOSTILE}"),
        plain(HOSTILE),
    ]

    for text in texts:
        assert not set(text) & set("\x1b\x07\r\n\u202e\u2066")
    assert "\\u001b[2J" in plain(HOSTILE)
    assert "\\u202egnp.exe" in plain(HOSTILE)


def test_names_of_other_scripts_stay_as_they_are() -> None:
    assert plain("می‌خواهم 👩‍💻 naïve 日本") == "می‌خواهم 👩‍💻 naïve 日本"


def test_the_answer_of_an_experiment_survives_the_wire() -> None:
    one = about("concluded", decided("ship", "treatment"))

    assert msgspec.json.decode(msgspec.json.encode(one), type=About) == one
