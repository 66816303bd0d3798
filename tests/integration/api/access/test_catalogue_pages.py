"""Metrics, layers, holdouts, the audit log and tokens on pages, as a browser without scripts uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.access.conftest import TokenMaker, bearer
from tests.integration.api.access.test_pages import FORM, HIDDEN, Browser, browser
from tests.integration.api.life_cycle import draft

EDITORS = ("/catalogue", "/catalogue/any", "/layers", "/layers/any", "/holdouts/any")
"""Paths that take an editor's forms."""
SECRET = re.compile(r"neonblue_sk_[\w-]{40,}")
MEANING = {"type": "mean", "event_type": "purchase", "aggregation": "sum", "window_end": "14 d", "missing": "zero"} | {
    "direction": "increase", "role": "secondary", "margin_relative": "yes",
}  # fmt: skip


def logged_in(api: httpx.Client, make_token: TokenMaker, role: str) -> Iterator[Browser]:
    with browser(api) as person:
        assert person.log_in(make_token(role)).status_code == 303
        yield person


@pytest.fixture
def admin(whole_api: httpx.Client, make_token: TokenMaker) -> Iterator[Browser]:
    yield from logged_in(whole_api, make_token, "admin")


@pytest.fixture
def editor(whole_api: httpx.Client, make_token: TokenMaker) -> Iterator[Browser]:
    yield from logged_in(whole_api, make_token, "editor")


@pytest.fixture
def viewer(whole_api: httpx.Client, make_token: TokenMaker) -> Iterator[Browser]:
    yield from logged_in(whole_api, make_token, "viewer")


def hidden(person: Browser, path: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that is sent to this path."""
    for found, inner in FORM.findall(person.open(path).text):
        if found.partition("#")[0] == action:
            return dict(HIDDEN.findall(inner))
    raise AssertionError(f"{path} has no form that is sent to {action}")


def key_of(what: str) -> str:
    return f"{what}-{uuid4()}"


def test_a_metric_is_made_used_and_given_a_new_meaning(whole_api: httpx.Client, editor: Browser) -> None:
    key = key_of("metric")
    path = f"/catalogue/{key}"
    form = hidden(editor, "/catalogue?make=1", "/catalogue")
    made = editor.post("/catalogue", form | MEANING | {"key": key, "name": "A <b> metric", "tags": key})
    assert (made.status_code, made.headers["location"]) == (303, path)
    again = editor.post("/catalogue", form | MEANING | {"key": key, "name": "kept"})
    assert (again.status_code, "A metric with this key exists" in again.text, 'value="kept"' in again.text) == (
        409, True, True,
    )  # fmt: skip

    first = draft(whole_api, metrics=[{"key": key}])["key"]
    second = draft(whole_api, metrics=[{"key": key, "role": "primary"}])["key"]
    page = editor.open(path).text
    assert "A &lt;b&gt; metric" in page
    assert "The mean over units of the sum of the values of events purchase, " in page
    for experiment in (first, second):
        assert f'href="/experiments/{experiment}"' in page
    assert page.index(second) < page.index(first)
    listed = editor.open(f"/catalogue?tag={key}").text
    assert listed.count(f'href="{path}"') == 1
    assert 'data-label="experiments">2</td>' in listed

    form = hidden(editor, f"{path}?do=version", path)
    same = editor.post(path, form | MEANING)
    assert (same.status_code, "Version 1 says the same" in same.text) == (409, True)
    led = editor.post(path, form | MEANING | {"cap": "800", "reason": "large orders"})
    assert led.status_code == 303, led.text
    page = editor.open(path).text
    assert "“<bdi>large orders</bdi>”" in page
    assert "A unit’s total counts up to 800." in page
    assert whole_api.get(f"/v1/metrics/{key}").json()["version"] == 2
    assert f'href="/experiments/{first}"' in page  # of the version before

    form = hidden(editor, f"{path}?do=describe", path)
    assert editor.post(path, form | {"owner": "growth", "tags": key}).status_code == 303
    late = editor.post(path, form | {"owner": "late"})
    assert (late.status_code, "Somebody was quicker" in late.text, 'value="late"' in late.text) == (
        412,
        True,
        True,
    )
    assert editor.open("/catalogue/gone").status_code == 404


def test_a_layer_shows_its_slots_and_leaves_only_unused(whole_api: httpx.Client, editor: Browser) -> None:
    key = key_of("layer")
    path = f"/layers/{key}"
    made = editor.post(
        "/layers", hidden(editor, "/layers?make=layer", "/layers") | {"key": key, "name": "One"}
    )
    assert (made.status_code, made.headers["location"]) == (303, path)
    experiment = draft(whole_api, layer={"key": key, "share": 2_500})["key"]
    for page in (editor.open(path).text, editor.open("/layers").text):
        assert f'href="/experiments/{experiment}"' in page
        assert "75\u00a0% is free." in page
    form = hidden(editor, f"{path}?do=change", path)
    assert editor.post(path, form | {"name": "Two"}).status_code == 303
    late = editor.post(path, form | {"name": "Three"})
    assert (late.status_code, "Somebody was quicker" in late.text, 'value="Three"' in late.text) == (
        412,
        True,
        True,
    )
    kept = editor.post(path, hidden(editor, f"{path}?do=delete", path))
    assert (kept.status_code, "Experiments refer to the layer" in kept.text) == (409, True)
    assert whole_api.get(f"/v1{path}").json()["name"] == "Two"


def test_a_holdout_is_made_changed_and_deleted(whole_api: httpx.Client, editor: Browser) -> None:
    key = key_of("holdout")
    path = f"/holdouts/{key}"
    form = hidden(editor, "/layers?make=holdout", "/layers") | {"key": key}
    wrong = editor.post("/layers", form | {"share": "half"})
    assert (wrong.status_code, 'id="share-error"' in wrong.text, 'value="half"' in wrong.text) == (
        422,
        True,
        True,
    )
    assert editor.post("/layers", form | {"share": "0"}).headers["location"] == path
    changed = editor.post(path, hidden(editor, f"{path}?do=change", path) | {"share": "0.01", "name": "Few"})
    assert changed.status_code == 303, changed.text
    assert whole_api.get(f"/v1{path}").json()["share"] == 1
    assert editor.post(path, hidden(editor, f"{path}?do=delete", path)).headers["location"] == "/layers"
    assert editor.open(path).status_code == 404


def test_the_audit_log_shows_what_was_done_and_by_whom(whole_api: httpx.Client, admin: Browser) -> None:
    key = key_of("layer")
    name = "<script>alert(1)</script> \u202e"
    whole_api.post("/v1/layers", json={"key": key, "name": name}).raise_for_status()
    page = admin.open(f"/audit?object_type=layer&object_id={key}&actor=&since=2020-01-01")
    assert page.status_code == 200
    assert "<strong><bdi>create</bdi></strong>" in page.text
    assert f'href="/layers/{key}"' in page.text
    (entry,) = whole_api.get("/v1/audit", params={"object_id": key}).json()["items"]
    assert f"request_id={entry['request_id']}" in page.text
    assert "token%3A" in page.text
    assert "<ins><bdi>&lt;script&gt;alert(1)&lt;/script&gt; \\u202e</bdi></ins>" in page.text
    assert "<script" not in page.text
    program = re.search(r'href="(/v1/audit[^"]*)"', page.text)
    assert program is not None
    asked = admin.client.get(program[1].replace("&amp;", "&"))
    assert [item["object_id"] for item in asked.json()["items"]] == [key]
    older = whole_api.get("/v1/audit", params={"object_type": "token", "limit": 1}).json()
    following = admin.open(f"/audit?object_type=token&cursor={older['next_cursor']}").text
    assert f"entry {older['items'][0]['id']} " not in following
    assert "First page" in following
    assert admin.open("/audit?since=soon").status_code == 422
    assert "No entry is like that" in admin.open(f"/audit?user_id={key}").text


def test_a_token_is_made_its_secret_shown_once_and_revoked(whole_api: httpx.Client, admin: Browser) -> None:
    name = key_of("token")
    form = hidden(admin, "/tokens/new", "/tokens/new") | {"name": name, "lives": "30"}
    refused = admin.post("/tokens/new", form)
    assert (refused.status_code, 'id="scopes-error"' in refused.text) == (422, True)
    made = admin.post("/tokens/new", form | {"scope_viewer": "yes"}, **{"idempotency-key": name})
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    (secret,) = SECRET.findall(made.text)
    again = admin.post("/tokens/new", form | {"scope_viewer": "yes"}, **{"idempotency-key": name})
    assert secret not in again.text
    assert whole_api.get("/v1", headers=bearer(secret)).status_code == 200
    listed = admin.open("/tokens").text
    assert name in listed
    assert not SECRET.findall(listed)
    assert secret not in admin.open("/audit?object_type=token&action=create").text

    number = next(item["id"] for item in whole_api.get("/v1/tokens").json()["items"] if item["name"] == name)
    path = f"/tokens/{number}/revocation"
    form = hidden(admin, path, path)
    assert whole_api.get("/v1", headers=bearer(secret)).status_code == 200
    assert admin.post(path, form).headers["location"] == "/tokens"
    assert "It is revoked already" in admin.open(path).text
    assert whole_api.get(f"/v1/tokens/{number}").json()["revoked_at"] is not None


def test_ones_own_token_can_be_revoked_after_a_warning_and_ends_the_session(admin: Browser) -> None:
    listed = admin.open("/tokens").text
    own = re.search(r"number (\d+) · of this session", listed)
    assert own is not None
    path = f"/tokens/{own[1]}/revocation"
    assert "It is the token of your own session" in admin.open(path).text
    assert admin.post(path, hidden(admin, path, path)).status_code == 303
    assert admin.open("/tokens").headers["location"].startswith("/login?")


def test_viewers_and_editors_are_refused_where_they_may_not(viewer: Browser, editor: Browser) -> None:
    csrf = {"csrf": dict(HIDDEN.findall(viewer.open("/layers").text))["csrf"]}
    for path in EDITORS:
        assert viewer.post(path, csrf | {"key": "a", "do": "delete"}).status_code == 403
    for person in (viewer, editor):
        csrf = {"csrf": dict(HIDDEN.findall(person.open("/layers").text))["csrf"]}
        for path in ("/audit", "/tokens", "/tokens/new", "/tokens/1/revocation"):
            assert person.open(path).status_code == 403
        for path in ("/tokens/new", "/tokens/1/revocation"):
            assert person.post(path, csrf | {"name": "x", "scope_admin": "yes"}).status_code == 403


def test_forms_need_the_csrf_token_of_their_session(admin: Browser) -> None:
    for path in (*EDITORS, "/tokens/new", "/tokens/1/revocation"):
        for wrong in ({}, {"csrf": "wrong"}):
            assert admin.post(path, wrong | {"key": key_of("a"), "do": "delete"}).status_code == 403
