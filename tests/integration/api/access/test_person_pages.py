"""People and the pipeline on pages, as a browser without scripts uses them, with real stores behind."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.access.conftest import TokenMaker
from tests.integration.api.access.test_pages import FORM, HIDDEN, Browser, browser
from tests.integration.api.life_cycle import started


@pytest.fixture
def admin(whole_api: httpx.Client, make_token: TokenMaker) -> Iterator[Browser]:
    with browser(whole_api) as person:
        assert person.log_in(make_token("admin")).status_code == 303
        yield person


@pytest.fixture
def user() -> str:
    """An id that is all that an address finds hard."""
    return f"a/b?c#{uuid4()} 100% שלום/erase"


def path_of(user: str, unit_type: str, place: str = "/users") -> str:
    return f"{place}/{quote(user, safe='')}?unit_type={unit_type}"


def hidden(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that is sent to this path."""
    for found, inner in FORM.findall(page):
        if found.startswith(action):
            return dict(HIDDEN.findall(inner))
    raise AssertionError(f"no form is sent to {action}")


def lived(api: httpx.Client, user: str) -> tuple[str, str]:
    """A person of a unit type of its own, with an assignment and attributes; that type, and the experiment's key."""
    unit_type = f"unit-{uuid4()}"
    key = started(api, unit_type=unit_type, targeting="attributes.country == 'DE'")["key"]
    asked = {"experiment": key, "user_id": user, "unit_type": unit_type, "attributes": {"country": "DE"}}
    api.post("/v1/assignments", json=asked).raise_for_status()
    known = api.put(path_of(user, unit_type, "/v1/users"), json={"attributes": {"country": "DE"}})
    known.raise_for_status()
    return unit_type, key


def actions(api: httpx.Client, user: str, unit_type: str) -> list[str]:
    asked = {"user_id": user, "unit_type": unit_type}
    return [entry["action"] for entry in api.get("/v1/audit", params=asked).json()["items"]]


def test_a_person_is_looked_up_tried_and_erased_with_a_receipt(
    whole_api: httpx.Client, admin: Browser, user: str
) -> None:
    unit_type, key = lived(whole_api, user)
    path, erasing = path_of(user, unit_type), path_of(user, unit_type, "/erasures/of")
    led = admin.client.get("/users", params={"id": user, "unit_type": unit_type})
    assert (led.status_code, led.headers["location"]) == (303, path)

    page = admin.open(path)
    assert page.status_code == 200
    assert f'href="/experiments/{key}"' in page.text
    assert "assigned by the hash" in page.text
    assert "&#34;DE&#34;" in page.text
    assert actions(whole_api, user, unit_type).count("read") == 2

    fields = hidden(page.text, "/users/")
    tried = admin.post(path, fields | {"attributes": '{"country": "FR"}'})
    assert tried.status_code == 200
    assert "&#34;FR&#34;" in tried.text
    wrong = admin.post(path, fields | {"attributes": "country = FR"})
    assert (wrong.status_code, "is no JSON" in wrong.text, "country = FR" in wrong.text) == (400, True, True)
    other = path_of(f"{user}/of nobody", unit_type)
    new = admin.post(other, fields | {"attributes": '{"country": "FR"}'})
    assert "not targeted" in new.text
    assert admin.open(other).status_code == 404  # a trial stores nothing

    taken = admin.open(path_of(user, unit_type, "/exports"))
    assert taken.json()["user_id"] == user
    assert "export" in actions(whole_api, user, unit_type)

    form = hidden(admin.open(erasing).text, "/erasures/of/")
    assert admin.post(erasing, form | {"typed": user.upper()}).status_code == 422
    assert admin.open(path).status_code == 200
    done = admin.post(erasing, form | {"typed": user})
    assert done.status_code == 303, done.text
    receipt = admin.open(done.headers["location"])
    assert receipt.status_code == 200
    told = whole_api.get(f"/v1{done.headers['location']}").json()
    assert {one["place"] for one in told["removed"]} >= {"assignments", "users"}
    for one in told["removed"]:
        assert f">{one['place']}</td>" in receipt.text
    assert user not in receipt.text
    assert admin.open(path).status_code == 404


def test_a_viewer_looks_and_tries_and_takes_nothing(
    whole_api: httpx.Client, make_token: TokenMaker, user: str
) -> None:
    unit_type, _ = lived(whole_api, user)
    path, erasing = path_of(user, unit_type), path_of(user, unit_type, "/erasures/of")
    with browser(whole_api) as person:
        person.log_in(make_token("viewer"))
        page = person.open(path)
        assert [action.split("/")[1] for action, _ in FORM.findall(page.text)] == ["logout", "users"]
        assert not re.search(r'href="/(exports|erasures)/', page.text)
        fields = hidden(page.text, "/users/")
        assert person.post(path, fields | {"attributes": "{}"}).status_code == 200
        for refused in (
            person.open(erasing),
            person.open(path_of(user, unit_type, "/exports")),
            person.post(erasing, fields | {"typed": user}),
        ):
            assert refused.status_code == 403
            assert "You may not do this" in refused.text
        assert person.open(path).status_code == 200


def test_a_forged_form_reads_and_erases_nobody(whole_api: httpx.Client, admin: Browser, user: str) -> None:
    unit_type, _ = lived(whole_api, user)
    before = actions(whole_api, user, unit_type)
    for path in (path_of(user, unit_type), path_of(user, unit_type, "/erasures/of")):
        for fields in ({"typed": user}, {"csrf": "wrong", "typed": user, "attributes": "{}"}):
            assert admin.post(path, fields).status_code == 403
    assert actions(whole_api, user, unit_type) == before
    assert admin.open(path_of(user, unit_type)).status_code == 200


def test_the_pipeline_is_told_within_seconds_though_stores_are_away(
    whole_api: httpx.Client, admin: Browser, make_token: TokenMaker
) -> None:
    began = time.monotonic()
    page = admin.open("/pipeline")
    assert time.monotonic() - began < 5
    assert page.status_code == 200
    assert "ClickHouse does not answer" in page.text
    assert re.search(r"✓</span> <strong>PostgreSQL</strong>", page.text)
    assert "The stream stands still: Connector" in page.text  # nobody has made its slot
    began = time.monotonic()
    assert admin.open("/pipeline").status_code == 200
    assert time.monotonic() - began < 3
    sent = admin.post("/pipeline/replay", hidden(page.text, "/pipeline/replay"))
    assert sent.status_code == 503
    assert "nobody would carry what is sent" in sent.text
    assert admin.post("/pipeline/replay", {"csrf": "wrong"}).status_code == 403
    with browser(whole_api) as viewer:
        viewer.log_in(make_token("viewer"))
        looked = viewer.open("/pipeline")
        assert [action for action, _ in FORM.findall(looked.text)] == ["/logout"]
        assert viewer.post("/pipeline/replay", hidden(looked.text, "/logout")).status_code == 403
        assert viewer.open("/pipeline/letters?error=x").status_code == 403
