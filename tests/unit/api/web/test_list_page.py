"""The list over every status, result and filter: what needs a person comes first, and nothing waits unsaid."""

from __future__ import annotations

import itertools

import pytest

from api.experiments.answers import ExperimentOut
from api.experiments.service import Census
from api.results.glances import Glance, Missing
from api.web.experiments.page import STATUSES, Chip, ListPage, Wanted, ages_of, list_page
from api.web.experiments.rows import Group
from api.web.shared.frame import render
from neonblue.contract.life_cycle import Status
from tests.unit.api.web import made
from tests.unit.api.web.html import parsed
from tests.unit.api.web.made import NOW, UGLY
from tests.unit.api.web.test_experiment_page import FRAME, GLANCES, check_form, check_policy

COUNTS = Census({Status.RUNNING: 3, Status.DRAFT: 1, Status.ARCHIVED: 5}, ["growth"], ["mobile"])


def listed(
    experiments: list[ExperimentOut],
    glances: dict[str, Glance],
    wanted: Wanted | None = None,
    census: Census = COUNTS,
    following: str | None = None,
) -> ListPage:
    return list_page(experiments, glances, census, wanted or Wanted(), (None, following), NOW)


def group_of(experiment: ExperimentOut, glance: Glance) -> Group:
    ((group, rows),) = listed([experiment], {experiment.key: glance}).groups
    assert len(rows) == 1
    return group


@pytest.mark.parametrize("status", Status)
def test_every_row_says_something_in_every_cell(status: Status) -> None:
    for name, glance in GLANCES.items():
        experiment = made.experiment(status, name=UGLY)
        page = listed([experiment], {experiment.key: glance})
        ((_, (row,)),) = page.groups
        assert row.health.text, name
        assert row.decision.text, name
        assert bool(row.interval) != bool(row.nothing), (status, name)
        found = parsed(render("experiments.html", FRAME, page=page))
        check_policy(found)
        check_form(found)
        assert {"bdi"} <= {element.name for element in found.elements if "very-long-name" in element.text}


@pytest.mark.parametrize("action", ["ship", "roll_back", "inconclusive", "invalid", "keep_running"])
def test_what_calls_for_somebody_needs_a_person_while_it_runs(action: str) -> None:
    running = group_of(made.experiment(), GLANCES[action])
    assert running is (Group.RUNNING if action == "keep_running" else Group.NEEDS_A_PERSON)
    assert group_of(made.experiment(Status.PAUSED), GLANCES[action]) is Group.NEEDS_A_PERSON
    decided = made.experiment(Status.CONCLUDED, decision=made.DECIDED)
    assert group_of(decided, GLANCES[action]) is Group.CONCLUDED
    assert group_of(made.experiment(Status.CONCLUDED), GLANCES[action]) is Group.NEEDS_A_PERSON


def test_a_breached_guardrail_needs_a_person() -> None:
    answer = made.answer(items=(made.item(), made.guardrail("breached")))
    page = listed([made.experiment()], {"checkout": made.glance(answer)})
    ((group, (row,)),) = page.groups
    assert (group, row.health.text, row.health.note) == (Group.NEEDS_A_PERSON, "guardrail breached", "errors")


def test_groups_stand_in_their_order_and_keep_that_of_their_rows() -> None:
    statuses = [
        Status.ARCHIVED,
        Status.DRAFT,
        Status.RUNNING,
        Status.PAUSED,
        Status.SCHEDULED,
        Status.RUNNING,
    ]
    rows = [made.experiment(status, key=f"e{place}") for place, status in enumerate(statuses)]
    page = listed(rows, {})
    assert [(group, [row.key for row in found]) for group, found in page.groups] == [
        (Group.NEEDS_A_PERSON, ["e3"]),
        (Group.RUNNING, ["e2", "e5"]),
        (Group.NOT_STARTED, ["e1", "e4"]),
        (Group.ARCHIVED, ["e0"]),
    ]


@pytest.mark.parametrize(
    ("missing", "notice"), [(Missing.AWAY, "away"), (Missing.NOT_ASKED, "asking"), (Missing.NOTHING, "")]
)
def test_results_that_did_not_come_are_told_once_above_the_list(missing: Missing, notice: str) -> None:
    rows = [made.experiment(key=f"e{place}") for place in range(3)]
    page = listed(rows, {row.key: made.glance(missing=missing) for row in rows})
    assert page.notice == notice
    html = render("experiments.html", FRAME, page=page)
    assert ("ClickHouse does not answer" in html.partition("<table")[0]) == (notice == "away")


def test_only_what_started_is_asked_for_its_results() -> None:
    rows = [made.experiment(status, key=status.value) for status in Status]
    rows.append(made.experiment(Status.DRAFT, key="imported", source="external"))
    assert ages_of(rows, 30, 600) == {
        "running": 30,
        "paused": 30,
        "concluded": 600,
        "archived": 600,
        "imported": 30,
    }


def test_the_chips_count_every_status_once_but_all_leaves_out_what_was_put_away() -> None:
    counted = [status for chip in Chip if chip is not Chip.ALL for status in STATUSES[chip]]
    assert sorted(counted) == sorted(Status)
    chips = {chip.label: chip.count for chip in listed([], {}).chips}
    assert chips == {"All": 4, "Running": 3, "Paused": 0, "Not started": 1, "Concluded": 0, "Archived": 5}


def test_filters_stand_in_the_address_and_survive_chips_and_pages() -> None:
    wanted = Wanted(Chip.RUNNING, "a&b=c", "x y", "<o>")
    page = listed([made.experiment()], {}, wanted, following="next")
    assert page.next_href == "?state=running&text=a%26b%3Dc&tag=x+y&owner=%3Co%3E&cursor=next"
    assert {chip.href for chip in page.chips if chip.label == "Paused"} == {
        "?state=paused&text=a%26b%3Dc&tag=x+y&owner=%3Co%3E"
    }
    found = parsed(render("experiments.html", FRAME, page=page))
    chosen = [option.text for option in found.named("option") if "selected" in option.attributes]
    assert chosen == ["<o>", "x y"]
    (text,) = [field for field in found.named("input") if field.attributes.get("name") == "text"]
    assert text.attributes["value"] == "a&b=c"


@pytest.mark.parametrize(("narrowed", "total"), list(itertools.product((False, True), (False, True))))
def test_an_empty_list_says_whether_there_is_none_or_none_is_found(narrowed: bool, total: bool) -> None:
    census = COUNTS if total else Census({}, [], [])
    html = render("experiments.html", FRAME, page=listed([], {}, Wanted(text="x" * narrowed), census))
    assert ("No experiment yet" in html) == (not narrowed and not total)
    assert ("neonblue experiment create" in html) == (not narrowed and not total)
    assert ("No experiment is like that" in html) == (narrowed or total)
