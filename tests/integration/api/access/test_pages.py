"""The pages as a browser without scripts uses them: log in, look, take steps, log out; and whom they refuse."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import redis

from tests.integration.api.access.conftest import Cache, TokenMaker
from tests.integration.api.fleet import wait_until
from tests.integration.api.life_cycle import draft, started

HTML = {"accept": "text/html,application/xhtml+xml"}
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
FORM = re.compile(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)


class Browser:
    """A person with a cookie, who reads pages and sends their forms."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def open(self, path: str) -> httpx.Response:
        return self.client.get(path, headers=HTML)

    def log_in(self, secret: str, following: str = "/experiments") -> httpx.Response:
        """Waits where others log in from this address at the same time."""
        answers: list[httpx.Response] = []

        def admitted() -> bool:
            answers.append(self.post("/login", {"token": secret, "next": following}))
            return answers[-1].status_code != 429

        wait_until(admitted, "the log-in is admitted")
        return answers[-1]

    def post(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        return self.client.post(path, data=form, headers=HTML | headers)

    def form(self, path: str, step: str) -> dict[str, str]:
        """The fields of a step's form that nobody fills in, as the page has them."""
        for _, inner in FORM.findall(self.open(path).text):
            fields = dict(HIDDEN.findall(inner))
            if fields.get("step") == step:
                return fields
        raise AssertionError(f"{path} has no form of the step {step}")


@contextmanager
def browser(api: httpx.Client) -> Iterator[Browser]:
    with httpx.Client(base_url=api.base_url, trust_env=False, timeout=30) as client:
        yield Browser(client)


@pytest.fixture
def editor(whole_api: httpx.Client, make_token: TokenMaker) -> Iterator[Browser]:
    with browser(whole_api) as person:
        assert person.log_in(make_token("editor")).status_code == 303
        yield person


def path_of(experiment: dict[str, Any]) -> str:
    return f"/experiments/{experiment['key']}"


def status_of(api: httpx.Client, experiment: dict[str, Any]) -> Any:
    return api.get(f"/v1/experiments/{experiment['key']}").json()["status"]


def test_a_person_logs_in_and_takes_an_experiment_from_its_start_to_the_archive(
    whole_api: httpx.Client, make_token: TokenMaker
) -> None:
    made = draft(whole_api, name="A <b>shorter</b> checkout")
    path = path_of(made)
    with browser(whole_api) as person:
        led = person.open(path)
        assert (led.status_code, led.headers["location"]) == (
            303,
            f"/login?next=%2Fexperiments%2F{made['key']}",
        )
        assert person.open("/").headers["location"] == "/experiments"
        back = person.log_in(make_token("editor"), path)
        assert (back.status_code, back.headers["location"]) == (303, path)

        listed = person.open(f"/experiments?text={made['key']}")
        assert f'href="{path}"' in listed.text
        assert "A &lt;b&gt;shorter&lt;/b&gt; checkout" in listed.text
        assert "everybody gets the control" in listed.text

        for step, sent, status in (
            ("start", {"reason": "let us see"}, "running"),
            ("pause", {"reason": "the checkout fails"}, "paused"),
            ("resume", {}, "running"),
            ("conclude", {"outcome": "ship", "variant_key": "b", "reason": "more people buy"}, "concluded"),
            ("archive", {}, "archived"),
        ):
            form = person.form(f"{path}?do={step}", step)
            taken = person.post(path, form | sent)
            assert (taken.status_code, taken.headers["location"]) == (303, path), taken.text
            assert status_of(whole_api, made) == status
            assert f">{status}</span>" in person.open(path).text
        page = person.open(path).text
        assert "Decided: ship b" in page
        assert "“<bdi>the checkout fails</bdi>”" in page

        csrf = dict(HIDDEN.findall(page))["csrf"]
        assert person.post("/logout", {"csrf": csrf}).headers["location"] == "/login"
        assert person.open(path).headers["location"].startswith("/login?")


def test_a_page_comes_soon_though_clickhouse_is_away_and_says_so(
    whole_api: httpx.Client, editor: Browser
) -> None:
    made = started(whole_api)
    began = time.monotonic()
    page = editor.open(path_of(made))
    listed = editor.open("/experiments")
    assert time.monotonic() - began < 10
    assert (page.status_code, listed.status_code) == (200, 200)
    assert "ClickHouse does not answer" in page.text
    assert f'<span class="key">{made["key"]}</span>' in listed.text


def test_a_viewer_looks_and_changes_nothing(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    made = started(whole_api)
    with browser(whole_api) as person:
        person.log_in(make_token("viewer"))
        page = person.open(f"{path_of(made)}?do=pause")
        assert [action for action, _ in FORM.findall(page.text)] == ["/logout"]
        form = {"csrf": dict(HIDDEN.findall(page.text))["csrf"], "version": "2", "step": "pause"}
        refused = person.post(path_of(made), form)
    assert refused.status_code == 403
    assert refused.headers["content-type"].startswith("text/html")
    assert "You may not do this" in refused.text
    assert status_of(whole_api, made) == "running"


def test_a_form_needs_the_csrf_token_of_its_session(whole_api: httpx.Client, editor: Browser) -> None:
    made = started(whole_api)
    form = editor.form(f"{path_of(made)}?do=pause", "pause")
    for wrong in (form | {"csrf": "wrong"}, {name: form[name] for name in ("version", "step")}):
        assert editor.post(path_of(made), wrong).status_code == 403
    assert editor.post("/logout", {"csrf": ""}).status_code == 403
    as_json = editor.client.post(path_of(made), json=form, headers=HTML)
    assert as_json.status_code == 415
    assert status_of(whole_api, made) == "running"


def test_two_tabs_are_told_of_each_other_with_both_versions(whole_api: httpx.Client, editor: Browser) -> None:
    made = started(whole_api)
    path = path_of(made)
    late = editor.form(f"{path}?do=conclude", "conclude") | {"outcome": "roll_back", "reason": "it does harm"}
    editor.post(path, editor.form(f"{path}?do=pause", "pause") | {"reason": "first look"})

    refused = editor.post(path, late)
    assert refused.status_code == 412
    assert "You saw version 2; it is version 3 now" in refused.text
    assert "“<bdi>first look</bdi>”" in refused.text
    assert status_of(whole_api, made) == "paused"

    again = next(
        dict(HIDDEN.findall(inner)) for _, inner in FORM.findall(refused.text) if "it does harm" in inner
    )
    assert editor.post(path, again).status_code == 303
    assert status_of(whole_api, made) == "concluded"


def test_a_decision_without_its_reason_keeps_what_was_chosen(
    whole_api: httpx.Client, editor: Browser
) -> None:
    made = started(whole_api)
    path = path_of(made)
    form = editor.form(f"{path}?do=conclude", "conclude") | {"outcome": "inconclusive", "reason": " "}
    refused = editor.post(path, form)
    assert refused.status_code == 422
    assert "Say why" in refused.text
    assert 'value="inconclusive" checked' in refused.text
    assert editor.post(path, form | {"reason": "x" * 2_001}).status_code == 422
    unknown = editor.post(path, form | {"outcome": "ship", "variant_key": "nobody", "reason": "x"})
    assert unknown.status_code == 422
    illegal = editor.post(path, form | {"step": "archive"})
    assert illegal.status_code == 409
    assert "Nothing was changed" in illegal.text
    assert status_of(whole_api, made) == "running"


def test_a_session_that_has_ended_leads_to_the_log_in_and_back(
    whole_api: httpx.Client, editor: Browser, valkey: Cache
) -> None:
    made = started(whole_api)
    path = path_of(made)
    form = editor.form(f"{path}?do=pause", "pause")
    with redis.Redis.from_url(valkey.url) as store:
        for name in store.keys("neonblue:session:*"):
            store.delete(name)
    for led in (editor.open(path), editor.post(path, form)):
        assert led.status_code == 303
        assert led.headers["location"] == f"/login?next=%2Fexperiments%2F{made['key']}&ended=1"
    assert "Your session has ended" in editor.open(led.headers["location"]).text
    assert status_of(whole_api, made) == "running"


def test_a_wrong_token_is_told_and_leads_nowhere(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    with browser(whole_api) as person:
        wrong = person.log_in("neonblue_sk_unknown")
        assert wrong.status_code == 401
        assert "This token is unknown or was revoked" in wrong.text
        assert "neonblue_sk_unknown" not in wrong.text
        program = person.log_in(make_token("ingest"))
        assert program.status_code == 403
        assert "This token is for programs" in program.text
        assert "neonblue_session" not in person.client.cookies
        led = person.log_in(make_token("viewer"), "//evil.example")
        assert led.headers["location"] == "/experiments"
        from_elsewhere = person.post("/login", {"token": "x"}, **{"sec-fetch-site": "cross-site"})
        assert from_elsewhere.status_code == 403


def test_the_list_is_narrowed_by_its_address(whole_api: httpx.Client, editor: Browser) -> None:
    made = draft(whole_api, owner="owner-of-one", tags=["tag-of-one"])
    other = started(whole_api, owner="owner-of-one")
    key = '<span class="key">{}</span>'.format
    for query, shown in (
        ("owner=owner-of-one", {made["key"], other["key"]}),
        ("owner=owner-of-one&tag=tag-of-one", {made["key"]}),
        ("owner=owner-of-one&state=running", {other["key"]}),
        ("owner=owner-of-one&state=not_started", {made["key"]}),
        ("owner=owner-of-one&state=archived", set()),
    ):
        page = editor.open(f"/experiments?{query}").text
        assert {each for each in (made["key"], other["key"]) if key(each) in page} == shown, query
    assert "<option selected>owner-of-one</option>" in page
    refused = editor.open("/experiments?state=nonsense")
    assert refused.status_code == 422
    assert refused.headers["content-type"].startswith("text/html")
    missing = editor.open("/experiments/not-there")
    assert missing.status_code == 404
    assert "There is no such experiment" in missing.text
