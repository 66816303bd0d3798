"""A person's calls with everything behind them made up: who may send what, whom it reaches, where it leads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from api.assignments.person import PersonReader
from api.assignments.schemas import PersonAssignments
from api.erasures.schemas import Receipt, State
from api.erasures.service import ErasureService
from api.http.problems import Problem
from api.users.export import Exporter
from api.users.schemas import UserOut
from api.users.service import UserService
from neonblue.texts import plain
from tests.unit.api.web import test_forms
from tests.unit.api.web.made import NOW
from tests.unit.api.web.test_forms import Site

site = test_forms.site
RECEIPT = UUID(int=7)
HIDDEN = "a\u202eb"
HOSTILE = (
    HIDDEN,
    "a/b",
    "a/erase",
    "a/export",
    "erase",
    "a?b=c",
    "a#b",
    "100%",
    "a%2Fb",
    "../x",
    "שלום/🙂",
    " x ",
    "x" * 256,
)


@dataclass
class People:
    """What was done with people: the call, and whom it reached."""

    done: list[tuple[Any, ...]] = field(default_factory=list)
    held: bool = True


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> People:
    found = People()

    def looked(call: str, unit_type: str, user_id: str) -> None:
        found.done.append((call, unit_type, user_id))
        if not found.held and call != "trial":
            raise Problem(404, "not_found", "Nothing is held on such a user")

    async def everything(_: PersonReader, unit_type: str, user_id: str, actor: Any) -> PersonAssignments:
        looked("everything", unit_type, user_id)
        return PersonAssignments(user_id=user_id, unit_type=unit_type, linked_to=None, items=[])

    async def trial(
        _: PersonReader, unit_type: str, user_id: str, attributes: Mapping[str, Any], actor: Any
    ) -> PersonAssignments:
        looked("trial", unit_type, user_id)
        found.done.append(("attributes", dict(attributes)))
        return PersonAssignments(user_id=user_id, unit_type=unit_type, linked_to=None, items=[])

    async def get(_: UserService, unit_type: str, user_id: str, actor: Any) -> UserOut:
        looked("user", unit_type, user_id)
        return UserOut(user_id=user_id, unit_type=unit_type, attributes={"country": "DE"}, created_at=NOW)

    async def export(_: Exporter, unit_type: str, user_id: str, actor: Any) -> AsyncIterator[bytes]:
        looked("export", unit_type, user_id)

        async def pieces() -> AsyncIterator[bytes]:
            yield b"{}"

        return pieces()

    def receipt() -> Receipt:
        return Receipt(
            id=RECEIPT, unit_type="user", erased_at=NOW, state=State.REMOVING, linked=[], removed=[], pending=[],
            problem=None, closed_at=None,
        )  # fmt: skip

    async def erase(_: ErasureService, unit_type: str, user_id: str, actor: Any) -> Receipt:
        looked("erase", unit_type, user_id)
        return receipt()

    async def read(_: ErasureService, erasure_id: UUID) -> Receipt:
        if erasure_id != RECEIPT:
            raise Problem(404, "not_found", "There is no such erasure")
        return receipt()

    for owner, name, made_up in (
        (PersonReader, "everything", everything), (PersonReader, "trial", trial), (UserService, "get", get),
        (Exporter, "export", export), (ErasureService, "erase", erase), (ErasureService, "get", read),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, made_up)
    return found


def path(user_id: str, place: str = "/users") -> str:
    return f"{place}/{quote(user_id, safe='')}?unit_type=device"


def form(role: str, **fields: str) -> dict[str, str]:
    return {"csrf": f"csrf of {role}"} | fields


def test_looking_up_leads_to_the_person_whatever_the_id(site: Site, people: People) -> None:
    for user_id in HOSTILE:
        led = site.send("GET", "/users", "viewer", params={"id": user_id, "unit_type": "device"})
        assert (led.status_code, led.headers["location"]) == (303, path(user_id)), user_id
        people.done.clear()
        assert site.send("GET", led.headers["location"], "viewer").status_code == 200
        assert people.done == [("everything", "device", user_id), ("user", "device", user_id)]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"id": ""}, "1 to 256 characters"),
        ({"id": "x" * 257}, "1 to 256 characters"),
        ({"id": "a\nb"}, "control characters"),
        ({"id": "x", "unit_type": ""}, "A unit type has"),
        ({"id": "x", "unit_type": "a\nb"}, "control characters"),
        ({"id": ".."}, "no page can show it"),
        ({"id": "."}, "no page can show it"),
    ],
)
def test_an_id_that_none_can_have_is_told_beside_its_field(
    site: Site, people: People, asked: dict[str, str], told: str
) -> None:
    refused = site.send("GET", "/users", "viewer", params=asked)
    assert refused.status_code == 422
    assert told in refused.text
    assert refused.text.count('aria-invalid="true"') == 1
    assert people.done == []


def test_the_form_stands_there_before_anybody_is_asked_for(site: Site, people: People) -> None:
    page = site.send("GET", "/users", "viewer")
    assert page.status_code == 200
    assert 'name="id"' in page.text
    assert people.done == []


def test_nobody_held_is_a_page_that_says_so(site: Site, people: People) -> None:
    people.held = False
    page = site.send("GET", path("x"), "viewer")
    assert page.status_code == 404
    assert "Nothing is held on this id" in page.text
    tried = site.send("POST", path("x"), "viewer", data=form("viewer", attributes='{"country": "DE"}'))
    assert tried.status_code == 200
    assert [call[1] for call in people.done if call[0] == "attributes"] == [{"country": "DE"}, {}]


@pytest.mark.parametrize(
    ("typed", "told", "status"),
    [
        ("{", "is no JSON", 400),
        ("[]", "attributes", 422),
        ('{"a": NaN}', "is no JSON", 400),
        ('{"a": 1, "a": 2}', "twice", 400),
        ('{"a": "' + "x" * 40_000 + '"}', "bytes", 422),
        ('{"a": 99999999999999999999}', "64 bits", 422),
    ],
)
def test_attributes_that_are_none_keep_what_was_typed(
    site: Site, people: People, typed: str, told: str, status: int
) -> None:
    page = site.send("POST", path("x"), "viewer", data=form("viewer", attributes=typed))
    assert page.status_code == status
    assert told in page.text
    assert typed.replace('"', "&#34;") in page.text
    assert not [call for call in people.done if call[0] == "trial"]


def test_export_and_erasure_are_for_administrators(site: Site, people: People) -> None:
    for role in ("viewer", "editor"):
        assert site.send("GET", path("x", "/exports"), role).status_code == 403
        assert site.send("GET", path("x", "/erasures/of"), role).status_code == 403
        sent = site.send("POST", path("x", "/erasures/of"), role, data=form(role, typed="x"))
        assert sent.status_code == 403
    assert people.done == []
    taken = site.send("GET", path("x", "/exports"), "admin")
    assert (taken.content, taken.headers["cache-control"]) == (b"{}", "no-store")
    assert taken.headers["content-disposition"] == 'attachment; filename="export.json"'


def test_an_erasure_wants_the_id_once_more_and_leads_to_its_receipt(site: Site, people: People) -> None:
    for user_id in HOSTILE:
        asked = site.send("GET", path(user_id, "/erasures/of"), "admin")
        assert asked.status_code == 200
        people.done.clear()
        for typed in ("", "y", user_id + "y"):
            refused = site.send(
                "POST", path(user_id, "/erasures/of"), "admin", data=form("admin", typed=typed)
            )
            assert refused.status_code == 422
            assert "nothing was erased" in refused.text
        assert "erase" not in {call for call, *_ in people.done}
        typed = plain(user_id) if user_id == HIDDEN else user_id
        done = site.send("POST", path(user_id, "/erasures/of"), "admin", data=form("admin", typed=typed))
        assert (done.status_code, done.headers["location"]) == (303, f"/erasures/{RECEIPT}")
        assert people.done[-1] == ("erase", "device", user_id)
    assert site.send("GET", f"/erasures/{RECEIPT}", "viewer").status_code == 200
    assert site.send("GET", f"/erasures/{UUID(int=8)}", "viewer").status_code == 404
    assert site.send("GET", "/erasures/x", "viewer").status_code == 422


@pytest.mark.parametrize("place", ["/users", "/erasures/of"])
def test_no_form_passes_without_the_token_of_its_session(site: Site, people: People, place: str) -> None:
    for fields in ({"typed": "x"}, {"csrf": "csrf of viewer", "typed": "x", "attributes": "{}"}):
        assert site.send("POST", path("x", place), "admin", data=fields).status_code == 403
    assert site.send("POST", path("x", place), data={"typed": "x"}).status_code == 303  # to the log-in
    assert people.done == []


def test_the_log_in_leads_back_to_the_very_person(site: Site, people: People) -> None:
    for user_id in HOSTILE:
        led = site.send("GET", path(user_id)).headers["location"]
        page = site.send("GET", led)
        after = next(part for part in page.text.split('name="next" value="')[1:]).partition('"')[0]
        people.done.clear()
        assert site.send("GET", after.replace("&amp;", "&"), "viewer").status_code == 200, user_id
        assert people.done[0] == ("everything", "device", user_id)
