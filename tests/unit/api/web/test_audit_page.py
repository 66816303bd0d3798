"""The audit log's page: what differs is found at any depth, what is typed is kept, and nothing in it is believed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.audit_log.schemas import AuditEntry, AuditFilter, AuditPage
from api.audit_log.service import AuditLog
from api.http.problems import Problem
from api.web.audit.page import FIELDS, Wanted, audit_page
from api.web.shared.difference import difference_of
from api.web.shared.forms import Filled
from api.web.shared.frame import Frame, Visitor, render
from tests.unit.api.web import test_forms
from tests.unit.api.web.html import Page, parsed
from tests.unit.api.web.made import NOW, UGLY
from tests.unit.api.web.test_experiment_page import check_form, check_policy
from tests.unit.api.web.test_forms import Site

site = test_forms.site
FRAME = Frame("/here", "x", Visitor("mira", "admin", "the-csrf-token"), place="audit")

values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
states = st.none() | st.dictionaries(st.text(max_size=3), values, max_size=4)


def entry(number: int = 5, **fields: Any) -> AuditEntry:
    given: dict[str, Any] = {
        "at": NOW - timedelta(minutes=number),
        "actor": "token:1:mira",
        "address": "192.0.2.7",
        "request_id": "r-1",
        "action": "change",
        "object_type": "layer",
        "object_id": "checkout",
        "before": {"name": "Old", "version": 1},
        "after": {"name": "New", "version": 1},
        "hash": "00",
    }
    return AuditEntry.model_validate({"id": number, **given, **fields})


def shown(*entries: AuditEntry, refused: Filled | None = None, **typed: str) -> Page:
    found = parsed(render("audit.html", FRAME, page=audit_page(Wanted(typed), entries, refused=refused)))
    check_policy(found)
    check_form(found)
    return found


def text_of(found: Page) -> str:
    return " ".join(element.text for element in found.named("main"))


def links(found: Page) -> set[str]:
    return {link.attributes["href"] for link in found.named("a")}


def test_what_differs_is_named_by_its_path_and_lists_by_the_keys_of_their_items() -> None:
    arms = [{"key": "a", "weight": 1, "payload": {"x": [1, 2]}}, {"key": "b", "weight": 1}]
    changed = [{"key": "b", "weight": 3}, {"key": "a", "weight": 1, "payload": {"x": [1]}}]
    found = difference_of(
        {"name": "n", "arms": arms, "gone": True}, {"name": "n", "arms": changed, "new": None}
    )
    assert {leaf.path: (leaf.before, leaf.after) for leaf in found.leaves} == {
        "arms.a.payload.x": ("[1, 2]", "[1]"),
        "arms.b.weight": ("1", "3"),
        "gone": ("true", None),
        "new": (None, "null"),
    }


@given(states, states)
def test_a_difference_is_empty_just_where_states_are_equal(before: Any, after: Any) -> None:
    same = (before or {}) == (after or {})
    assert (not difference_of(before, after).leaves) == same
    assert not difference_of(after, after).leaves


def test_large_and_deep_states_are_cut_and_say_so() -> None:
    deep: Any = "end"
    for _ in range(50):
        deep = {"in": deep}
    assert [leaf.path for leaf in difference_of(None, {"a": deep}).leaves] == ["a.in.in.in.in.in"]
    wide = difference_of(None, {str(number): number for number in range(100)})
    assert (len(wide.leaves), wide.more) == (60, 40)
    (long,) = difference_of(None, {"text": "x" * 5_000}).leaves
    assert long.after is not None
    assert len(long.after) == 401
    assert "40 more are in the JSON" in text_of(
        shown(entry(before=None, after={str(n): n for n in range(100)}))
    )


@pytest.mark.parametrize(
    ("kind", "name", "href"),
    [
        ("experiment", "checkout", "/here/experiments/checkout"),
        ("metric", "a b/c", "/here/catalogue/a%20b%2Fc"),
        ("layer", "checkout", "/here/layers/checkout"),
        ("holdout", "2026", "/here/holdouts/2026"),
        ("token", "7", "/here/tokens"),
        ("user", "p-1", None),
        ("route", "GET /v1/audit", None),
        ("javascript:alert(1)", "javascript:alert(1)", None),
    ],
)
def test_an_entry_leads_to_its_object_where_that_has_a_page(kind: str, name: str, href: str | None) -> None:
    found = shown(entry(object_type=kind, object_id=name))
    named = [link.attributes["href"] for link in found.named("a") if link.text == name]
    assert href in named or (href is None and not [link for link in named if "/audit?" not in link])


def test_hostile_entries_are_text() -> None:
    hostile = {UGLY: {"x": [UGLY, {"y": UGLY}]}}
    found = shown(
        entry(
            actor=UGLY,
            action=UGLY,
            object_type=UGLY,
            object_id=UGLY,
            address=UGLY,
            request_id=UGLY,
            after=hostile,
        )
    )
    assert text_of(found).count("<script>alert(1)</script>") >= 6
    assert "\u202e" not in text_of(found)
    for link in links(found):
        assert link.startswith(("/here/", "#main", "?"))


def test_filters_stand_in_the_address_as_the_api_takes_them() -> None:
    typed = {
        "actor": " token:1:mira ",
        "since": "2026-03-01",
        "until": "2026-03-02 09:30",
        "unit_type": "user",
    }
    wanted = Wanted(typed)
    asked = parse_qs(urlsplit(wanted.address("abc")).query)
    assert asked == {
        "actor": ["token:1:mira"],
        "since": ["2026-03-01T00:00:00Z"],
        "until": ["2026-03-02 09:30Z"],
        "cursor": ["abc"],
    }
    AuditFilter.model_validate(wanted.asked)
    assert Wanted({}).address() == "?"
    assert {*FIELDS, "cursor", "limit"} == set(AuditFilter.model_fields)
    for text in ("2026-03-01T09:30:00+02:00", "2026-03-01T09:30Z", "2026-03-01t09:30:00z"):
        assert Wanted({"since": text}).asked["since"] == text


def test_an_empty_log_and_an_empty_search_have_words() -> None:
    assert "The log ends" in text_of(shown())
    assert "Nothing matches" in text_of(shown(actor="nobody"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[AuditFilter]:
    found: list[AuditFilter] = []

    async def page(_: AuditLog, wanted: AuditFilter) -> AuditPage:
        if wanted.cursor == "wrong":
            raise Problem(422, "invalid_cursor", "Send the next_cursor of the page before", field="cursor")
        found.append(wanted)
        return AuditPage(items=[entry()], next_cursor="next")

    monkeypatch.setattr(AuditLog, "page", page)
    return found


def test_only_administrators_read_it(site: Site, asked: list[AuditFilter]) -> None:
    for role in ("viewer", "editor"):
        assert site.send("GET", "/audit", role).status_code == 403
    assert asked == []
    answer = site.send("GET", "/audit", "admin", params={"object_type": "layer", "action": "", "cursor": "c"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert (asked[0].object_type, asked[0].action, asked[0].cursor) == ("layer", None, "c")
    assert 'href="?object_type=layer&amp;cursor=next"' in answer.text
    assert json.loads(site.send("GET", "/v1/audit", "admin").text)["items"]


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"since": "yesterday"}, "since-error"),
        ({"until": "2026-13-01"}, "until-error"),
        ({"actor": "x" * 301}, "actor-error"),
        ({"user_id": "x" * 257}, "user_id-error"),
        ({"cursor": "wrong"}, None),
    ],
)
def test_a_search_that_cannot_be_read_is_kept_and_says_why(
    site: Site, asked: list[AuditFilter], params: dict[str, str], place: str | None
) -> None:
    answer = site.send("GET", "/audit", "admin", params={"action": "a <b>"} | params)
    assert answer.status_code == 422
    found = parsed(answer.text)
    assert (place is None) or any(p.attributes.get("id") == place for p in found.named("p"))
    assert (place is None) == any(e.attributes.get("role") == "alert" for e in found.elements)
    kept = {e.attributes.get("name"): e.attributes.get("value") for e in found.named("input")}
    assert kept["action"] == "a <b>"
    assert asked == []
