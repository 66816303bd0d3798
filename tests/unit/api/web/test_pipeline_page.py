"""The pipeline's page over every state of every stage: whole, in words, and never failing for what is away."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.answering import Answered
from api.pipeline_state.looking import Look
from api.pipeline_state.rates import Rate
from api.pipeline_state.replaying import Replay
from api.pipeline_state.service import Seen, Stream
from api.pipeline_state.warehouse import KINDS, Built, Canary, Kind, Letter, LiveTable
from api.web.pipeline.page import (
    FAIL,
    OK,
    UNKNOWN,
    WARN,
    Opened,
    PipelinePage,
    age_of,
    opened_of,
    pipeline_page,
    size_of,
)
from api.web.shared.frame import Frame, Visitor, render
from neonblue.consumer_lag import Lag
from neonblue.disk import Room
from tests.unit.api.web.html import Page, parsed
from tests.unit.api.web.made import NOW, UGLY
from tests.unit.api.web.test_experiment_page import check_form, check_policy

WELL = Seen(
    at=NOW,
    takes_events=True,
    postgres=Answered.OK,
    disk=Room.OK.value,
    rate=Rate(60, 8_412.4, 0, 0.004),
    stream=Stream(True, True, 41 << 20, 1 << 30, 0.0),
    topic=Look((Lag(0, 10, 9), Lag(1, 5, 5))),
    canary=Look(Canary(NOW - timedelta(seconds=4), NOW - timedelta(seconds=3.6))),
    live=Look((LiveTable("open_totals", NOW - timedelta(seconds=14), False),)),
    built=Look((Built("metric_moments", NOW - timedelta(minutes=40)),)),
    letters=Look(()),
    replay=None,
)
AWAY: Look[Any] = Look(why="It does not answer.")
STATES: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "API": ((OK, {}), (FAIL, {"takes_events": False}), (OK, {"rate": None})),
    "PostgreSQL": (
        (OK, {}),
        (FAIL, {"postgres": Answered.DOWN}),
        (FAIL, {"postgres": Answered.SILENT}),
        (WARN, {"disk": Room.LOW.value}),
        (WARN, {"disk": "unknown"}),
        (FAIL, {"disk": Room.FULL.value}),
    ),
    "Connector": (
        (OK, {}),
        (FAIL, {"stream": Stream(False, False, 1 << 20, 1 << 30, 0.0)}),
        (FAIL, {"stream": Stream(True, True, 1 << 20, 1 << 30, 31.0)}),
        (WARN, {"stream": Stream(True, False, 1 << 20, 1 << 30, 0.0)}),
        (WARN, {"stream": Stream(True, True, 600 << 20, 1 << 30, 0.0)}),
    ),
    "Topic": ((OK, {}), (WARN, {"topic": Look((Lag(0, 20_000, 0),))}), (UNKNOWN, {"topic": AWAY})),
    "ClickHouse": (
        (OK, {}),
        (WARN, {"canary": Look(None)}),
        (WARN, {"canary": Look(Canary(NOW - timedelta(seconds=90), NOW))}),
        (UNKNOWN, {"canary": AWAY}),
    ),
    "Models": (
        (OK, {}),
        (WARN, {"live": Look(())}),
        (WARN, {"live": Look((LiveTable("open_totals", None, False),))}),
        (WARN, {"live": Look((LiveTable("open_totals", NOW, True),))}),
        (WARN, {"live": Look((LiveTable("open_totals", NOW - timedelta(minutes=3), False),))}),
        (UNKNOWN, {"live": AWAY}),
    ),
}


def frame(role: str = "viewer") -> Frame:
    return Frame("", "x", Visitor("mira", role, "the-csrf-token"), "http://dagster", place="pipeline")


def shown(page: PipelinePage, role: str = "viewer", grafana: str = "") -> Page:
    found = parsed(render("pipeline.html", frame(role), page=page, grafana=grafana))
    check_policy(found)
    check_form(found)
    return found


def text_of(found: Page) -> str:
    return " ".join(element.text for element in found.named("main"))


def test_every_stage_tells_its_state_in_words() -> None:
    for name, states in STATES.items():
        said = set()
        for kind, fields in states:
            page = pipeline_page(replace(WELL, **fields), 1)
            stage = next(stage for stage in page.stages if stage.name == name)
            assert stage.kind == kind, (name, fields)
            assert stage.value, (name, fields)
            assert bool(stage.why) == (kind != OK), (name, fields)
            assert stage.why in text_of(shown(page))
            said.add((stage.value, stage.notes, stage.why))
        assert len(said) == len(states)


def test_the_sentence_is_that_of_the_worst_stage_in_every_mixture() -> None:
    """One state of each kind per stage; all mixtures of two stages."""
    for first, second in itertools.combinations(STATES, 2):
        for (one, fields), (other, more) in itertools.product(STATES[first], STATES[second]):
            page = pipeline_page(replace(WELL, **{**fields, **more}), 1)
            kinds = {one, other}
            if FAIL in kinds:
                assert page.decision == "stop"
                blocked = (one == FAIL and first in ("API", "PostgreSQL")) or (
                    other == FAIL and second in ("API", "PostgreSQL")
                )
                assert page.title.startswith("Events are not taken" if blocked else "The stream stands still")
                assert ("nothing of them is lost" in page.say) == (not blocked)
            elif WARN in kinds:
                assert page.decision == "caution"
            else:
                assert page.decision == ("" if UNKNOWN in kinds else "ship")
            for stage in page.stages:
                assert stage.kind in (FAIL, WARN, UNKNOWN) or not stage.why
                assert stage.kind != FAIL or stage.why in page.say


def test_all_away_is_a_whole_page() -> None:
    away = replace(
        WELL, takes_events=False, postgres=Answered.SILENT, disk="unknown", rate=None,
        stream=Stream(False, False, 0, 1, 0.0), topic=AWAY, canary=AWAY, live=AWAY, built=AWAY, letters=AWAY,
    )  # fmt: skip
    for role in ("viewer", "editor", "admin"):
        text = text_of(shown(pipeline_page(away, 1), role))
        assert text.count("It does not answer.") >= 5


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_an_administrator_alone_opens_letters_and_sends_again(role: str) -> None:
    kinds = (Kind(UGLY, 1_203, NOW - timedelta(days=2), NOW), Kind("value: no decimal", 1, NOW, NOW))
    found = shown(pipeline_page(replace(WELL, letters=Look(kinds)), 1), role)
    text = text_of(found)
    assert "1,204 letters of 2 errors" in text
    assert "\u202e" not in text
    opening = [link for link in found.named("a") if "/pipeline/letters" in link.attributes["href"]]
    sending = [form for form in found.named("form") if "/replay" in form.attributes["action"]]
    assert (len(opening), len(sending)) == ((2, 1) if role == "admin" else (0, 0))


def test_a_letter_is_shown_with_its_place_and_as_it_came() -> None:
    letter = Letter("events", 7, 88_120_441, 3, NOW, '{"value": "48,90", "x": "</pre><script>"}', True)
    opened = opened_of("value: no decimal", Look((letter,)))
    found = shown(pipeline_page(WELL, 1, opened), "admin")
    text = text_of(found)
    assert "partition 7, offset 88,120,441, element 3 of the batch" in text
    (content,) = found.named("pre")
    assert content.text == f"{letter.content} …"
    for look in (Look(()), AWAY):
        why = opened_of("x", look)
        assert why.letters == ()
        assert why.why in text_of(shown(pipeline_page(WELL, 1, why), "admin"))
        assert why.why


def test_no_letters_and_very_many_are_said() -> None:
    assert "None: ClickHouse could read every message" in text_of(shown(pipeline_page(WELL, 1)))
    many = tuple(Kind(f"error {number}", 2, NOW, NOW) for number in range(KINDS))
    assert pipeline_page(replace(WELL, letters=Look(many)), 1).letters_count == (
        f"{2 * KINDS} letters of the first {KINDS} errors, in 180 days"
    )


@pytest.mark.parametrize(
    ("fields", "kind", "told"),
    [
        ({}, UNKNOWN, "is under way. Published so far: nothing yet"),
        ({"published": {"events": 1_200}}, UNKNOWN, "Published so far: 1,200 events"),
        ({"ended": NOW, "unresolved": 0}, OK, "nothing was missing that PostgreSQL has"),
        ({"ended": NOW, "published": {"events": 3}, "unresolved": 0}, OK, "published again: 3 events"),
        ({"ended": NOW, "unresolved": 1}, WARN, "What 1 dead letter tells of is not present"),
        ({"ended": NOW, "unresolved": 2}, WARN, "What 2 dead letters tell of is not present"),
        ({"ended": NOW, "problem": "the stream has read nothing"}, FAIL, "did not end: the stream has read"),
    ],
)
def test_the_last_replay_is_told_and_none_is_offered_beside_one(
    fields: dict[str, Any], kind: str, told: str
) -> None:
    page = pipeline_page(replace(WELL, replay=Replay("token:3:mira", NOW, **fields)), 1)
    assert page.replayed is not None
    assert page.replayed.kind == kind
    found = shown(page, "admin")
    assert told in text_of(found)
    assert "mira (token 3)" in text_of(found)
    offered = any("/replay" in form.attributes["action"] for form in found.named("form"))
    assert offered == ("ended" in fields)


def test_links_lead_to_dagster_and_where_it_is_set_to_grafana() -> None:
    for grafana in ("", "https://grafana.example.com"):
        links = {
            link.text: link.attributes["href"]
            for link in shown(pipeline_page(WELL, 1), grafana=grafana).named("a")
        }
        assert links["Dagster"] == "http://dagster"
        assert links.get("Grafana", "") == grafana


def test_a_refusal_stands_on_the_page() -> None:
    text = text_of(shown(pipeline_page(WELL, 1, error="A replay is under way already"), "admin"))
    assert "Nothing was sent again" in text
    assert "A replay is under way already." in text


def test_rates_of_one_process_of_several_are_said_to_be_so() -> None:
    notes = [" ".join(pipeline_page(WELL, workers).stages[0].notes) for workers in (1, 4)]
    assert [("one of several" in note) for note in notes] == [False, True]
    slow = replace(WELL, rate=Rate(60, 0.25, 1.5, math.inf))
    api, postgres = pipeline_page(slow, 1).stages[:2]
    assert (api.value, api.notes[1], postgres.value) == ("0.2 /s", "1.5 /s rejected", "over 5 s")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0.0 s"), (0.36, "0.4 s"), (14, "14 s"), (600, "10 min"), (7_200, "2 h"), (200_000, "2 days")],
)
def test_ages_have_the_unit_that_fits(seconds: float, text: str) -> None:
    assert age_of(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1 << 10, "1 kB"), (41 << 20, "41 MB"), (2 << 30, "2 GB")],
)
def test_sizes_have_the_unit_that_fits(amount: int, text: str) -> None:
    assert size_of(amount) == text


def test_nothing_opened_is_no_place_on_the_page() -> None:
    page = pipeline_page(WELL, 1)
    assert page.opened is None
    ids = {element.attributes.get("id") for element in shown(page).elements}
    assert "opened" not in ids
    with_one = pipeline_page(WELL, 1, Opened("x", (), "gone"))
    assert "opened" in {element.attributes.get("id") for element in shown(with_one).elements}
