"""Experiments made and changed by the form, as a browser without scripts sends it."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.access.conftest import TokenMaker
from tests.integration.api.access.test_pages import Browser, browser
from tests.integration.api.life_cycle import draft, patch, started


class Fields(HTMLParser):
    """What a browser sends of the form `#form`, as it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._inside = False
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = own.get("id") == "form"
        name = own.get("name", "")
        if not self._inside or "disabled" in own:
            return
        if tag == "input" and name and (own.get("type") not in ("radio", "checkbox") or "checked" in own):
            self.found[name] = own.get("value", "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in own or self._select not in self.found):
            self.found[self._select] = own.get("value", "")
        elif tag == "textarea":
            self._area = name
            self.found[name] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.found[self._area] += data


def fields_of(page: httpx.Response) -> dict[str, str]:
    assert page.status_code in (200, 409, 412, 422), page.text
    found = Fields()
    found.feed(page.text)
    return found.found


@pytest.fixture
def editor(whole_api: httpx.Client, make_token: TokenMaker) -> Iterator[Browser]:
    with browser(whole_api) as person:
        assert person.log_in(make_token("editor")).status_code == 303
        yield person


@pytest.fixture
def metric(whole_api: httpx.Client) -> str:
    key = f"m-{uuid4()}"
    body = {
        "key": key,
        "type": "proportion",
        "event_type": "purchase",
        "aggregation": "any",
        "window_seconds": 86_400,
    }
    assert whole_api.post("/v1/metrics", json=body).status_code == 201
    return key


def stored(api: httpx.Client, key: str) -> dict[str, Any]:
    answer = api.get(f"/v1/experiments/{key}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_experiment_is_checked_made_reviewed_and_changed(
    editor: Browser, whole_api: httpx.Client, metric: str
) -> None:
    key = f"e-{uuid4()}"
    form = fields_of(editor.open("/new-experiment"))
    typed = {"name": "Gift wrapping", "variants.1.payload": '{"wrap": true', "metrics.0.key": metric}
    form |= typed | {"tags": "growth, checkout"}
    refused = editor.post("/new-experiment", form | {"act": "check"})
    assert refused.status_code == 422
    assert "is not JSON" in refused.text
    form = fields_of(refused)
    assert {name: form[name] for name in typed} == typed

    form |= {"key": key, "variants.1.payload": '{"wrap": true}', "metrics.0.role": "primary"}
    checked = editor.post("/new-experiment", form | {"act": "check"})
    assert checked.status_code == 200, checked.text
    assert "It can be saved as it is" in checked.text
    assert whole_api.get(f"/v1/experiments/{key}").status_code == 404
    more = fields_of(editor.post("/new-experiment", form | {"act": "arm"}))
    assert more["variants.2.key"] == ""
    made = editor.post("/new-experiment", more | {"act": "save"})
    assert (made.status_code, made.headers["location"]) == (303, f"/experiments/{key}")
    found = stored(whole_api, key)
    assert [arm["payload"] for arm in found["variants"]] == [None, {"wrap": True}]
    assert (found["tags"], found["metrics"][0]["role"]) == (["growth", "checkout"], "primary")
    assert editor.post("/new-experiment", form | {"act": "save"}).status_code == 409

    edited = fields_of(editor.open(f"/experiments/{key}/edit")) | {
        "hypothesis": "It helps.",
        "allocation": "25 %",
    }
    reviewed = editor.post(f"/experiments/{key}/edit", edited | {"act": "review"})
    assert reviewed.status_code == 200, reviewed.text
    assert "It helps." in reviewed.text
    assert stored(whole_api, key)["version"] == found["version"]
    saved = editor.post(f"/experiments/{key}/edit", edited | {"act": "save", "reason": "Asked for"})
    assert saved.status_code == 303, saved.text
    after = stored(whole_api, key)
    same = set(found) - {"hypothesis", "allocation", "version"}
    assert {name: after[name] for name in same} == {name: found[name] for name in same}
    assert (after["hypothesis"], after["allocation"]) == ("It helps.", 2500)
    newest = whole_api.get(f"/v1/experiments/{key}/versions").json()["items"][0]
    assert (newest["reason"], set(newest["difference"])) == ("Asked for", {"hypothesis", "allocation"})


def test_who_was_slower_sees_both_and_keeps_what_they_typed(editor: Browser, whole_api: httpx.Client) -> None:
    made = draft(whole_api)
    path = f"/experiments/{made['key']}/edit"
    form = fields_of(editor.open(path)) | {"hypothesis": "Mine"}
    assert patch(whole_api, made, {"hypothesis": "Theirs", "owner": "somebody"}).status_code == 200
    page = editor.post(path, form | {"act": "save"})
    assert page.status_code == 412
    assert "Theirs" in page.text
    again = fields_of(page)
    assert (again["hypothesis"], again["owner"]) == ("Mine", "somebody")
    assert editor.post(path, again | {"act": "save"}).status_code == 303
    found = stored(whole_api, made["key"])
    assert (found["hypothesis"], found["owner"]) == ("Mine", "somebody"), (
        "what only they changed stays theirs"
    )


def test_while_it_runs_only_what_may_change_is_open(editor: Browser, whole_api: httpx.Client) -> None:
    made = started(whole_api, allocation=1000)
    path = f"/experiments/{made['key']}/edit"
    form = fields_of(editor.open(path))
    assert "targeting" not in form
    hostile = form | {"targeting": "true", "variants.0.key": "other", "salt": "x", "unit_type": "device"}
    assert editor.post(path, hostile | {"act": "save", "allocation": "20 %"}).status_code == 303
    found = stored(whole_api, made["key"])
    assert (found["allocation"], found["targeting"], found["variants"]) == (2000, None, made["variants"])
    smaller = editor.post(path, fields_of(editor.open(path)) | {"allocation": "5 %", "act": "review"})
    assert smaller.status_code == 409
    assert "may only grow" in smaller.text


def test_who_may_not_edit_is_refused(
    whole_api: httpx.Client, make_token: TokenMaker, editor: Browser
) -> None:
    made = draft(whole_api)
    paths = ("/new-experiment", f"/experiments/{made['key']}/edit")
    with browser(whole_api) as viewer:
        viewer.log_in(make_token("viewer"))
        assert "/new-experiment" not in viewer.open("/experiments").text
        assert "/edit" not in viewer.open(f"/experiments/{made['key']}").text
        for path in paths:
            assert viewer.open(path).status_code == 403
            assert viewer.post(path, {"act": "save"}).status_code == 403
    for path in paths:
        form = fields_of(editor.open(path))
        assert editor.post(path, form | {"act": "save", "csrf": "guessed"}).status_code == 403
    assert editor.open("/experiments/no-such/edit").status_code == 404
