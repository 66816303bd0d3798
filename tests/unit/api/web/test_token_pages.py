"""The pages of tokens over every state and role: who sees them, that a secret is shown once, and what revoking says."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from api.access.schemas import NewToken, TokenIn, TokenOut, TokenPage
from api.access.service import TokenService
from api.access.tokens import Scope
from api.http.problems import Problem
from api.web.shared.frame import Frame, Visitor, render
from api.web.tokens.page import NewPage, RevokePage, asked_for, made_page, row_of, tokens_page
from tests.unit.api.web import test_forms
from tests.unit.api.web.html import Page, parsed
from tests.unit.api.web.made import NOW, UGLY
from tests.unit.api.web.test_experiment_page import check_form, check_policy
from tests.unit.api.web.test_forms import Site

site = test_forms.site
SECRET = "neonblue_sk_only-once"
OWN, OTHER = 1, 7


def frame(role: str = "admin") -> Frame:
    return Frame("", "x", Visitor("mira", role, "the-csrf-token"), place="tokens")


def token(number: int = OTHER, **fields: Any) -> TokenOut:
    given: dict[str, Any] = {
        "name": "warehouse export",
        "hint": "neonblue_sk_ab12",
        "scopes": ["viewer"],
        "origins": None,
        "rate_limit": None,
        "created_at": NOW - timedelta(days=30),
        "created_by": "token:1:bootstrap",
        "expires_at": NOW + timedelta(days=300),
        "revoked_at": None,
        "last_used_at": NOW - timedelta(hours=1),
    }
    return TokenOut.model_validate({"id": number, **given, **fields})


def shown(template: str, page: Any, role: str = "admin") -> Page:
    found = parsed(render(template, frame(role), page=page))
    check_policy(found)
    check_form(found)
    return found


def text_of(found: Page) -> str:
    return " ".join(element.text for element in found.named("main"))


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_only_administrators_are_led_to_tokens_and_audit(role: str) -> None:
    page = tokens_page([token()], (None, None), OWN, NOW)
    places = {link.attributes["href"] for link in shown("tokens.html", page, role).named("a")}
    assert ({"/tokens", "/audit"} <= places) == (role == "admin")
    assert {"/catalogue", "/layers"} <= places


def test_every_state_of_a_token_has_a_word_and_only_what_lives_can_be_revoked() -> None:
    times = {"past": NOW - timedelta(days=1), "ahead": NOW + timedelta(days=1), "none": None}
    for expires, revoked, used in itertools.product(times, ("past", "none"), ("past", "none")):
        one = token(expires_at=times[expires], revoked_at=times[revoked], last_used_at=times[used])
        found = shown("tokens.html", tokens_page([one], (None, None), OWN, NOW))
        word = "revoked" if revoked == "past" else "expired" if expires == "past" else "active"
        assert [
            badge.text
            for badge in found.named("span")
            if badge.attributes.get("class", "").startswith("badge")
        ] == [word]
        ends = [link for link in found.named("a") if link.attributes["href"] == "/tokens/7/revocation"]
        assert len(ends) == (revoked == "none")


def test_ugly_names_are_escaped_and_lists_are_paged() -> None:
    page = tokens_page([token(name=UGLY, created_by=f"token:1:{UGLY}")], ("a", "b c&d"), OWN, NOW)
    found = shown("tokens.html", page)
    assert "\\u202e" in text_of(found)
    assert "?cursor=b+c%26d" in {link.attributes["href"] for link in found.named("a")}
    assert "No more tokens" in text_of(shown("tokens.html", tokens_page([], ("a", None), OWN, NOW)))


def test_ones_own_token_is_not_revoked_without_a_warning() -> None:
    for number in (OWN, OTHER):
        found = shown("revoke.html", RevokePage(row_of(token(number, name=UGLY), OWN, NOW)))
        assert ("own session" in text_of(found)) == (number == OWN)
    gone = shown("revoke.html", RevokePage(row_of(token(revoked_at=NOW), OWN, NOW)))
    assert "It is revoked already" in text_of(gone)
    assert not [button for button in gone.named("button") if button.text == "Revoke for good"]
    refused = shown("revoke.html", RevokePage(row_of(token(), OWN, NOW), "Make another one first"))
    assert "Make another one first" in text_of(refused)


@pytest.mark.parametrize(
    ("scopes", "origins", "told"),
    [(["viewer"], None, True), (["ingest"], None, False), (["ingest"], ["https://shop.example.com"], False)],
)
def test_the_answer_tells_whether_a_person_can_log_in_with_it(
    scopes: list[str], origins: list[str] | None, told: bool
) -> None:
    made = NewToken(**token(scopes=scopes, origins=origins).model_dump(), secret=SECRET)
    found = shown("made_token.html", made_page(made, OWN, NOW))
    assert SECRET in text_of(found)
    assert ("at the log-in" in text_of(found)) == told


def test_the_form_says_what_the_api_takes() -> None:
    form = {"name": " shop ", "scope_ingest": "yes", "scope_assign": "yes", "lives": "30", "rate_limit": "50"}
    new = TokenIn.model_validate(
        asked_for(form | {"origins": "https://a.example\n\n https://b.example "}, NOW) | {"expires_at": None}
    )
    assert (new.name, new.scopes, new.rate_limit) == ("shop", [Scope.INGEST, Scope.ASSIGN], 50)
    assert new.origins == ["https://a.example", "https://b.example"]
    assert asked_for(form, NOW)["expires_at"] == NOW + timedelta(days=30)
    assert asked_for({"lives": "never"}, NOW)["expires_at"] is None
    assert asked_for({"rate_limit": "9" * 5_000}, NOW)["rate_limit"] == "9" * 5_000
    assert {value for value, _ in NewPage().lives} >= {"30", "365", "never"}


@dataclass
class Kept:
    """What was made and revoked."""

    done: list[tuple[Any, ...]] = field(default_factory=list)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    found = Kept()

    async def create(_: TokenService, new: TokenIn, actor: Any) -> NewToken:
        found.done.append(("create", new.name, actor.name))
        return NewToken(**token(name=new.name).model_dump(), secret=SECRET)

    async def get(_: TokenService, number: int) -> TokenOut:
        return token(number)

    async def page(*_: Any) -> TokenPage:
        return TokenPage(items=[token(OWN), token()], next_cursor=None)

    async def revoke(_: TokenService, number: int, actor: Any) -> None:
        if number == OWN:
            raise Problem(409, "last_administrator", "Make another token with the scope admin first")
        found.done.append(("revoke", number, actor.name))

    for name, made_up in (("create", create), ("get", get), ("page", page), ("revoke", revoke)):
        monkeypatch.setattr(TokenService, name, made_up)
    return found


FORM = {"csrf": "csrf of admin", "name": "export", "scope_viewer": "yes", "lives": "90"}


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_others_may_neither_look_nor_send(site: Site, kept: Kept, role: str) -> None:
    for path in ("/tokens", "/tokens/new", "/tokens/7/revocation"):
        assert site.send("GET", path, role).status_code == 403
    for path in ("/tokens/new", "/tokens/7/revocation"):
        assert site.send("POST", path, role, data=FORM | {"csrf": f"csrf of {role}"}).status_code == 403
    assert kept.done == []


def test_a_form_without_its_sessions_csrf_token_makes_and_revokes_nothing(site: Site, kept: Kept) -> None:
    for path in ("/tokens/new", "/tokens/7/revocation"):
        for wrong in ({"csrf": "wrong"}, {"csrf": "csrf of editor"}, {"csrf": ""}):
            assert site.send("POST", path, "admin", data=FORM | wrong).status_code == 403
    assert kept.done == []


def test_a_secret_is_on_the_answer_alone_and_never_kept(site: Site, kept: Kept) -> None:
    made = site.send("POST", "/tokens/new", "admin", data=FORM)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert made.text.count(SECRET) == 1
    assert "location" not in made.headers
    assert not [value for value in made.headers.values() if SECRET in value]
    for path in ("/tokens", "/tokens/new", "/tokens/7/revocation"):
        assert SECRET not in site.send("GET", path, "admin").text
    assert kept.done == [("create", "export", "token:1:admin")]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"scope_viewer": ""}, "scopes"),
        ({"lives": "1000000"}, "lives"),
        ({"rate_limit": "many"}, "rate_limit"),
        ({"rate_limit": "0"}, "rate_limit"),
        ({"origins": "shop"}, "origins"),
        ({"origins": "https://shop.example.com"}, None),
    ],
)
def test_a_refused_form_keeps_what_was_typed_and_says_why_beside_the_field(
    site: Site, kept: Kept, change: dict[str, str], names: str | None
) -> None:
    answer = site.send("POST", "/tokens/new", "admin", data=FORM | {"name": "a <b>"} | change)
    assert answer.status_code == 422
    found = parsed(answer.text)
    told = [p.attributes.get("id") for p in found.named("p") if p.attributes.get("class") == "error"]
    assert told == ([] if names is None else [f"{names}-error"])
    assert (names is None) == any(e.attributes.get("role") == "alert" for e in found.elements)
    typed = {
        e.attributes["name"]: e.attributes.get("value")
        for e in found.named("input")
        if "name" in e.attributes
    }
    assert typed["name"] == change.get("name", "a <b>")
    assert kept.done == []


def test_a_token_is_revoked_by_a_second_page(site: Site, kept: Kept) -> None:
    asked = site.send("GET", "/tokens/7/revocation", "admin")
    assert "This can’t be undone" in asked.text
    assert kept.done == []
    led = site.send("POST", "/tokens/7/revocation", "admin", data={"csrf": "csrf of admin"})
    assert (led.status_code, led.headers["location"]) == (303, "/tokens")
    assert kept.done == [("revoke", 7, "token:1:admin")]
    own = site.send("GET", "/tokens/1/revocation", "admin")
    assert "own session" in own.text
    last = site.send("POST", "/tokens/1/revocation", "admin", data={"csrf": "csrf of admin"})
    assert last.status_code == 409
    assert "Make another token with the scope admin first" in last.text
