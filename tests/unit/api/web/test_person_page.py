"""A person's page and an erasure's receipt over every state, role and ugly id: whole, escaped, never without a word."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.assignments.schemas import AnsweredNow, FirstExposure, PersonAssignment, PersonAssignments
from api.erasures.schemas import Pending, Receipt, Removed, State
from api.users.schemas import UserOut
from api.web.erasure.page import erasure_page
from api.web.person.page import (
    WHY,
    Address,
    PersonPage,
    SearchPage,
    Trial,
    erase_page,
    person_page,
    tried_rows,
)
from api.web.shared.frame import Frame, Visitor, render
from neonblue.bucketing import Reason, ServedBy
from neonblue.contract.life_cycle import Status
from tests.unit.api.web.html import Page, parsed
from tests.unit.api.web.made import NOW, UGLY
from tests.unit.api.web.test_experiment_page import check_form, check_policy

ADDRESS = Address("user-42", "user")


def frame(role: str = "viewer") -> Frame:
    return Frame("", "x", Visitor("mira", role, "the-csrf-token"), place="users")


def now(reason: Reason = Reason.ASSIGNED, **fields: Any) -> AnsweredNow:
    given = {"variant_key": "short-form", "served_by": "experiment", "version": 2, "payload": {"fields": 4}}
    return AnsweredNow(reason=reason, **{**given, **fields})


def item(experiment: str = "checkout", **fields: Any) -> PersonAssignment:
    given: dict[str, Any] = {
        "experiment_id": 7,
        "experiment_status": "running",
        "variant_key": "short-form",
        "version": 2,
        "reason": "assigned",
        "assigned_at": NOW - timedelta(days=3),
        "exposures": [FirstExposure(variant_key="short-form", first_at=NOW - timedelta(days=2))],
        "several_variants": False,
        "now": now(),
    }
    return PersonAssignment(experiment=experiment, **{**given, **fields})


def known(*items: PersonAssignment, linked_to: str | None = None) -> PersonAssignments:
    return PersonAssignments(user_id="user-42", unit_type="user", linked_to=linked_to, items=list(items))


def user(**attributes: Any) -> UserOut:
    return UserOut(user_id="user-42", unit_type="user", attributes=attributes, created_at=NOW)


def shown(page: PersonPage, role: str = "viewer") -> Page:
    found = parsed(render("person.html", frame(role), page=page))
    check_policy(found)
    check_form(found)
    return found


def text_of(found: Page) -> str:
    return " ".join(element.text for element in found.named("main"))


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_each_role_sees_the_person_and_admins_alone_what_takes_everything(role: str) -> None:
    found = shown(person_page(ADDRESS, known(item()), user(country="DE")), role)
    links = {link.attributes["href"] for link in found.named("a")}
    takes = {"/exports/user-42?unit_type=user", "/erasures/of/user-42?unit_type=user"}
    assert links & takes == (takes if role == "admin" else set())
    current = [link.text.strip() for link in found.named("a") if "aria-current" in link.attributes]
    assert current == ["Users", "Users"]  # of the two forms of the navigation


def test_of_nobody_it_says_so_and_lets_try_all_the_same() -> None:
    for role in ("viewer", "admin"):
        found = shown(person_page(ADDRESS, None, None), role)
        assert "Nothing is held on this id" in text_of(found)
        assert not [link for link in found.named("a") if link.text in ("Export", "Erase…")]
        assert any(field.attributes.get("name") == "attributes" for field in found.named("textarea"))


def test_every_reason_has_words_of_its_own() -> None:
    assert WHY.keys() == set(Reason)
    assert len(set(WHY.values())) == len(WHY)
    for reason, served, status, stored in itertools.product(
        Reason, [*ServedBy, None], Status, ("short-form", None)
    ):
        told = now(reason, served_by=served, variant_key=None if served is None else "short-form")
        page = person_page(
            ADDRESS, known(item(now=told, variant_key=stored, experiment_status=status)), user()
        )
        (row,) = page.rows
        assert row.now_note, (reason, served)
        same = stored and served is ServedBy.EXPERIMENT and reason is not Reason.FORCED
        assert row.now_note == ("the same" if same else WHY[reason])


@pytest.mark.parametrize("status", Status)
def test_what_is_not_served_says_where_it_stands(status: Status) -> None:
    (row,) = person_page(ADDRESS, known(item(now=None, experiment_status=status)), None).rows
    assert (row.now, row.now_note) == ("", f"it is {status}: nothing is answered")


def test_the_lede_counts_what_the_table_has() -> None:
    released = item("shipped", variant_key=None, exposures=[], now=now(Reason.RELEASED, served_by="release"))
    page = person_page(ADDRESS, known(item(), item("two", exposures=[]), released), user())
    assert page.lede == "Has a variant in 2 experiments, and met it in 1. 1 release gives it a variant."
    assert person_page(ADDRESS, known(), user()).lede == "No experiment and no release gives it a variant."


def test_a_person_of_two_arms_is_warned_of_and_a_linked_one_named() -> None:
    met = [FirstExposure(variant_key=key, first_at=NOW) for key in ("control", "short-form")]
    page = person_page(
        ADDRESS, known(item(several_variants=True, exposures=met, reason="linked"), linked_to="user-1"), None
    )
    text = text_of(shown(page))
    assert "left out of the analysis" in text
    assert "an anonymous id, linked with user-1" in text
    assert "taken over from a linked id" in text


@pytest.mark.parametrize("ugly", [UGLY, "x" * 256, "../..", "a/b?c#d%2F", "שלום", "🙂"])
def test_ugly_names_are_shown_whole_and_steer_nothing(ugly: str) -> None:
    address = Address(ugly, ugly)
    everything = known(
        item(
            ugly,
            variant_key=ugly,
            exposures=[FirstExposure(variant_key=ugly, first_at=NOW)],
            now=now(variant_key=ugly, payload={ugly: ugly}),
        ),
        linked_to=ugly,
    )
    trial = Trial(ugly, error=ugly, rows=tried_rows(everything, everything, None))
    page = person_page(address, everything, user(**{ugly: [ugly]}), trial)
    pages = [
        shown(page, "admin"),
        parsed(render("erase.html", frame("admin"), page=erase_page(address, everything, ugly, ugly))),
        parsed(render("users.html", frame(), page=SearchPage(ugly, ugly, ugly, "user_id"))),
    ]
    for found in pages:
        check_policy(found)
        check_form(found)
        assert "\u202e" not in text_of(found).replace(trial.text, "").replace(page.rows[0].payload, "")
    own = [form for form in pages[0].named("form") if "/users/" in form.attributes["action"]]
    assert [unquote(urlsplit(form.attributes["action"]).path.split("/")[2]) for form in own] == [ugly]


@given(st.text(min_size=1, max_size=256), st.text(min_size=1, max_size=256))
def test_every_id_comes_back_from_its_address(user_id: str, unit_type: str) -> None:
    for place in ("/users", "/exports", "/erasures/of"):
        split = urlsplit(Address(user_id, unit_type).below(place))
        assert unquote(split.path.removeprefix(f"{place}/")) == user_id
        assert split.path.count("/") == f"{place}/".count("/")
        assert parse_qs(split.query, keep_blank_values=True) == {"unit_type": [unit_type]}
        assert not split.fragment


def test_the_trial_begins_with_what_is_known_and_shows_first_what_changes() -> None:
    page = person_page(ADDRESS, known(item()), user(country="DE"))
    assert page.trial.text == '{\n "country": "DE"\n}'
    trial = known(
        item("same", now=now()),
        item("other", now=now(Reason.NOT_TARGETED, variant_key="control", served_by="control")),
        item("new", variant_key=None, now=now()),
        item("gone", now=None),
    )
    by_known = known(
        item("same"),
        item("other", now=now(variant_key="other")),
        item("new", now=None),
        item("gone", now=None),
    )
    rows = tried_rows(trial, by_known, known(item("other"), item("gone")))
    assert [(row.experiment, row.variant, row.is_same) for row in rows] == [
        ("other", "control", False),
        ("new", "short-form", False),
        ("gone", "", False),
        ("same", "short-form", True),
    ]
    text = text_of(shown(person_page(ADDRESS, known(item()), None, Trial("{}", rows=rows))))
    assert "Answers that would change: 3 of 4." in text
    assert "No experiment asks for" in text_of(shown(person_page(ADDRESS, None, None, Trial("{}", rows=()))))


def test_the_page_before_an_erasure_says_what_goes_and_of_whom() -> None:
    for everything in (None, known(), known(item(), item("two"), linked_to="user-1")):
        found = parsed(render("erase.html", frame("admin"), page=erase_page(ADDRESS, everything)))
        check_form(found)
        text = text_of(found)
        assert "What will be erased" in text
        assert ("in 2 experiments" in text) == bool(everything and everything.items)
        assert ("anonymous id of user-1" in text) == bool(everything and everything.linked_to)
    (field,) = (one for one in found.named("input") if one.attributes["name"] == "typed")
    assert field.attributes["value"] == ""


@pytest.mark.parametrize("state", State)
def test_a_receipt_tells_its_state_what_is_gone_and_what_is_left(state: State) -> None:
    left = [
        Pending(store="clickhouse", reason="the stream has not brought it yet", until=None),
        Pending(store="topic", reason="whole segments are dropped", until=NOW),
    ]
    receipt = Receipt(
        id=UUID(int=1),
        unit_type="user",
        erased_at=NOW,
        state=state,
        linked=[UUID(int=2)],
        removed=[
            Removed(store="postgresql", place="events", rows=1_234, at=NOW),
            Removed(store="topic", place="messages", rows=None, at=NOW),
        ],
        pending=[] if state is State.CLOSED else left,
        problem=UGLY if state is State.REMOVING else None,
        closed_at=NOW if state is State.CLOSED else None,
    )
    found = parsed(render("erasure.html", frame(), page=erasure_page(receipt)))
    check_policy(found)
    text = text_of(found)
    assert "1,234" in text
    assert ("whole segments are dropped" in text) == (state is not State.CLOSED)
    assert ("The last attempt failed" in text) == (state is State.REMOVING)
    assert f"/erasures/{UUID(int=2)}" in {link.attributes["href"] for link in found.named("a")}


def test_receipts_of_different_states_say_different_things() -> None:
    def said(state: State) -> str:
        receipt = Receipt(
            id=UUID(int=1), unit_type="user", erased_at=NOW, state=state, linked=[], removed=[], pending=[],
            problem=None, closed_at=None,
        )  # fmt: skip
        return erasure_page(receipt).title

    assert len({said(state) for state in State}) == len(State)
