"""The pages' calls with everything behind them made up: who may send a form, what it does, and where it leads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.access.limits import RateLimits
from api.access.logging_in import LogIn
from api.access.sessions import Session, Sessions
from api.access.tokens import Scope, Token, Tokens, digest_of_secret, unauthorized
from api.app import create_app
from api.experiments.answers import ExperimentOut, ExperimentPage, VersionPage
from api.experiments.service import Census, ExperimentService
from api.experiments.steps import LifeCycle
from api.http.problems import Problem
from api.ramps.service import RampService
from api.results.glances import Glances
from api.results.report_service import ReportService
from api.results.schemas import Reports
from neonblue.contract.life_cycle import Status, Step
from neonblue.settings import Settings
from tests.unit.api.web import made

HTML = {"accept": "text/html"}
IMPLIED = {
    "viewer": {Scope.VIEWER},
    "editor": {Scope.VIEWER, Scope.EDITOR},
    "admin": set(Scope),
    "ingest": {Scope.INGEST},
}
PATH = "/experiments/checkout"


@dataclass
class Site:
    """The application, and what was done through it."""

    app: Any
    taken: list[tuple[Any, ...]] = field(default_factory=list)
    version: int = 2
    shown: ExperimentOut | None = None
    away: bool = False

    def send(self, method: str, path: str, role: str | None = None, **kwargs: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                if role is not None:
                    client.cookies.set("neonblue_session", role)
                return await client.request(method, path, headers=HTML | kwargs.pop("headers", {}), **kwargs)

        return asyncio.run(ask())

    def form(self, role: str = "editor", **fields: str) -> httpx.Response:
        given = {"csrf": f"csrf of {role}", "version": "2", "step": "pause"} | fields
        return self.send("POST", PATH, role, data=given)

    def steer(self, act: str, role: str = "editor", **fields: str) -> httpx.Response:
        given = {"csrf": f"csrf of {role}", "version": "2", "act": act} | fields
        return self.send("POST", f"{PATH}/traffic", role, data=given)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    found = Site(create_app(Settings(cache_dir=tmp_path, data_dir=tmp_path)))
    secrets = {digest_of_secret(role.encode()): role for role in IMPLIED}

    def token(role: str) -> Token:
        return Token(1, role, frozenset(IMPLIED[role]), None, None, None, False)

    async def identify(_: Tokens, digest: bytes, *__: Any, **___: Any) -> Token:
        if digest not in secrets:
            raise unauthorized("invalid_token", "The token is unknown or revoked")
        return token(secrets[digest])

    async def find(_: Sessions, cookie: str) -> Session:
        if cookie not in IMPLIED:
            raise unauthorized("invalid_session", "The session has ended: log in again")
        return Session(digest_of_secret(cookie.encode()), f"csrf of {cookie}", time.time() + 60)

    async def opened(_: Sessions, digest: bytes) -> tuple[str, Session]:
        return secrets[digest], await find(_, secrets[digest])

    async def nothing(*_: Any, **__: Any) -> Any:
        return []

    def experiment() -> ExperimentOut:
        return (found.shown or made.experiment()).model_copy(update={"version": found.version})

    async def get(_: ExperimentService, key: str) -> ExperimentOut:
        if key != "checkout":
            raise Problem(404, "not_found", "There is no such experiment")
        return experiment()

    async def page(*_: Any) -> ExperimentPage:
        return ExperimentPage(items=[experiment()], next_cursor=None)

    async def versions(*_: Any) -> VersionPage:
        return VersionPage(items=[made.version(3, "pause"), made.version(2, "start")], next_cursor=None)

    async def census(*_: Any) -> Census:
        return Census({Status.RUNNING: 1}, [], [])

    def check(tag: str | None) -> None:
        if tag != f'"{found.version}"':
            raise Problem(412, "changed_meanwhile", "It was changed since you read it: read it again")

    async def take(
        _: LifeCycle,
        key: str,
        step: Step,
        tag: str | None,
        actor: Any,
        reason: str | None,
        *,
        force: bool = False,
    ) -> None:
        check(tag)
        if step is Step.START and not force:
            raise Problem(409, "not_ready", "It is not fit to start: the arms' payloads differ")
        found.taken.append((key, step.value, reason))

    async def archive(_: LifeCycle, key: str, why: Any, tag: str | None, actor: Any) -> None:
        check(tag)
        if not why.force:
            raise Problem(409, "still_evaluated", "The key was asked for 3 times in the last 7 days")
        found.taken.append((key, "archive", why.reason))

    async def conclude(_: LifeCycle, key: str, decision: Any, tag: str | None, actor: Any) -> None:
        check(tag)
        found.taken.append((key, "conclude", None if decision is None else decision.outcome))

    async def say(_: RampService, key: str, word: str, reason: str, tag: str | None, actor: Any) -> None:
        check(tag)
        if word == "continue":
            raise Problem(409, "ramp_not_held", "It is not held: it takes its next step by itself")
        found.taken.append((key, word, reason))

    async def patch(_: ExperimentService, key: str, change: Any, tag: str | None, actor: Any) -> None:
        check(tag)
        found.taken.append((key, *change.model_dump(include=change.model_fields_set).items()))

    async def release(_: ExperimentService, key: str, wanted: Any, tag: str | None, actor: Any) -> None:
        check(tag)
        ramp = None if wanted.ramp is None else len(wanted.ramp.steps)
        found.taken.append((key, wanted.variant_key, wanted.share, wanted.population, ramp, wanted.reason))

    async def reports(_: ReportService, key: str, limit: int) -> Reports:
        if found.away:
            raise Problem(503, "clickhouse_unavailable", "ClickHouse does not answer")
        return Reports(
            items=[made.report("figure", "image/svg+xml"), made.report("newest"), made.report("older")]
        )

    async def glances(_: Glances, ages: dict[str, float], seconds: float) -> dict[str, Any]:
        return {key: made.glance(made.answer("ship")) for key in ages}

    patches: list[tuple[type, str, Callable[..., Any]]] = [
        (Tokens, "identify", identify), (Sessions, "find", find), (Sessions, "open", opened),
        (Sessions, "close", nothing), (RateLimits, "admit", nothing), (LogIn, "_record", nothing),
        (ExperimentService, "get", get), (ExperimentService, "page", page), (ExperimentService, "versions", versions),
        (ExperimentService, "census", census), (LifeCycle, "take", take), (LifeCycle, "conclude", conclude),
        (LifeCycle, "archive", archive), (Glances, "of", glances), (RampService, "say", say),
        (ReportService, "of_experiment", reports),
        (ExperimentService, "patch", patch), (ExperimentService, "release", release),
    ]  # fmt: skip
    for owner, name, made_up in patches:
        monkeypatch.setattr(owner, name, made_up)
    return found


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_the_pages_are_shown_to_people_of_every_role(site: Site, role: str) -> None:
    listed, shown = site.send("GET", "/experiments", role), site.send("GET", PATH, role)
    assert [page.status_code for page in (listed, shown)] == [200, 200]
    assert "Ship short-form" in listed.text
    assert "Ship short-form" in shown.text
    assert {page.headers["cache-control"] for page in (listed, shown)} == {"no-store"}
    assert (f"{role} · {role}" in shown.text.replace("</bdi>", "").replace("<bdi>", "")) is True
    assert ("?do=conclude" in shown.text) == (role != "viewer")


def test_a_token_of_a_program_opens_no_page(site: Site) -> None:
    for path in ("/experiments", PATH):
        assert site.send("GET", path, headers={"authorization": "Bearer ingest"}).status_code == 403
        assert site.send("GET", path, headers={"authorization": "Bearer viewer"}).status_code == 200


def test_a_form_takes_its_step_and_leads_back(site: Site) -> None:
    answer = site.form(reason=" it fails ")
    assert (answer.status_code, answer.headers["location"]) == (303, PATH)
    assert site.form("admin", step="resume").status_code == 303
    assert site.form(step="conclude", outcome="later").status_code == 303
    assert site.form(step="conclude", outcome="roll_back", reason="harm").status_code == 303
    assert site.form(step="archive", force="yes", reason="a crawler").status_code == 303
    assert site.form(step="start", force="yes", reason="known").status_code == 303
    assert site.form(step="roll_back", reason="harm").status_code == 303
    assert site.taken == [
        ("checkout", "pause", "it fails"),
        ("checkout", "resume", None),
        ("checkout", "conclude", None),
        ("checkout", "conclude", "roll_back"),
        ("checkout", "archive", "a crawler"),
        ("checkout", "start", "known"),
        ("checkout", "roll_back", "harm"),
    ]


@pytest.mark.parametrize(
    ("role", "fields", "status"),
    [
        ("viewer", {}, 403),
        ("editor", {"csrf": "wrong"}, 403),
        ("editor", {"csrf": ""}, 403),
        ("editor", {"csrf": "csrf of admin"}, 403),
        ("editor", {"step": "fly"}, 422),
        ("editor", {"version": "x"}, 422),
        ("editor", {"step": "conclude"}, 422),
        ("editor", {"step": "conclude", "outcome": "ship", "reason": "x"}, 422),
        ("editor", {"step": "conclude", "outcome": "fly", "reason": "x"}, 422),
        ("editor", {"step": "pause", "reason": "x" * 2_001}, 422),
        ("editor", {"step": "archive"}, 409),
        ("editor", {"step": "start"}, 409),
        ("editor", {"step": "archive", "force": "yes"}, 422),
        ("editor", {"step": "start", "force": "yes", "reason": " "}, 422),
        ("editor", {"version": "1"}, 412),
        (
            "editor",
            {"version": "1", "step": "conclude", "outcome": "ship", "variant_key": "b", "reason": "x"},
            412,
        ),
    ],
)
def test_a_form_that_may_not_changes_nothing_and_says_why_on_a_page(
    site: Site, role: str, fields: dict[str, str], status: int
) -> None:
    answer = site.form(role, **fields)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert site.taken == []


def test_without_a_field_for_it_or_as_another_type_no_form_passes(site: Site) -> None:
    fields = {"version": "2", "step": "pause"}
    assert site.send("POST", PATH, "editor", data=fields).status_code == 403
    assert site.send("POST", PATH, "editor", json=fields | {"csrf": "csrf of editor"}).status_code == 415
    header = {"x-csrf-token": "csrf of editor"}
    assert site.send("POST", PATH, "editor", data=fields, headers=header).status_code == 403
    assert site.taken == []


def test_the_json_calls_still_want_the_header_and_no_field(site: Site) -> None:
    path = "/v1/experiments/checkout/pause"
    refused = site.send("POST", path, "editor", json={"csrf": "csrf of editor"})
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf")


def test_two_tabs_see_both_versions(site: Site) -> None:
    site.version = 3
    answer = site.form(reason="kept")
    assert answer.status_code == 412
    assert "You saw version 2; it is version 3 now" in answer.text
    assert 'name="reason" value="kept"' in answer.text


RELEASE = {"variant_key": "short-form", "share": "25", "population": "targeted", "ramp": "none"}


def test_the_traffic_is_steered_by_what_the_api_s_calls_do(site: Site) -> None:
    for act, fields in (
        ("hold", {"reason": " wait "}),
        ("skip", {"reason": "go"}),
        ("back", {"reason": "harm"}),
        ("close", {}),
        ("open", {"reason": "again"}),
        ("release", RELEASE | {"reason": "a day went well"}),
        ("release", RELEASE | {"ramp": "careful", "population": "everyone"}),
    ):
        answer = site.steer(act, **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PATH}#traffic"), answer.text
    assert site.taken[:-1] == [
        ("checkout", "hold", "wait"),
        ("checkout", "skip", "go"),
        ("checkout", "back", "harm"),
        ("checkout", ("enrolment", "closed")),
        ("checkout", ("enrolment", "open"), ("reason", "again")),
        ("checkout", "short-form", 2_500, "targeted", None, "a day went well"),
    ]
    _, _, _, population, steps, reason = site.taken[-1]
    assert (population, reason) == ("everyone", None)
    assert steps > 1


@pytest.mark.parametrize(
    ("role", "act", "fields", "status"),
    [
        ("viewer", "hold", {"reason": "x"}, 403),
        ("viewer", "release", RELEASE, 403),
        ("editor", "hold", {"reason": "x", "csrf": "wrong"}, 403),
        ("editor", "fly", {}, 422),
        ("editor", "close", {"version": "x"}, 422),
        ("editor", "hold", {"reason": " "}, 422),
        ("editor", "close", {"reason": "x" * 2_001}, 422),
        ("editor", "continue", {"reason": "x"}, 409),
        ("editor", "release", RELEASE | {"share": ""}, 422),
        ("editor", "release", RELEASE | {"share": "a half"}, 422),
        ("editor", "release", RELEASE | {"share": "101"}, 422),
        ("editor", "release", RELEASE | {"ramp": "steep"}, 422),
        ("editor", "release", RELEASE | {"population": "nobody"}, 422),
        ("editor", "release", RELEASE | {"variant_key": ""}, 422),
        ("editor", "hold", {"reason": "x", "version": "1"}, 412),
        ("editor", "close", {"version": "1"}, 412),
        ("editor", "release", RELEASE | {"version": "1"}, 412),
    ],
)
def test_what_may_not_be_said_of_the_traffic_changes_nothing_and_is_told_on_a_page(
    site: Site, role: str, act: str, fields: dict[str, str], status: int
) -> None:
    answer = site.steer(act, role, **fields)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert site.taken == []


@pytest.mark.parametrize(
    ("fields", "place", "told"),
    [
        ({"share": "a half"}, "share", "basis points"),
        ({"share": ""}, "share", "which share"),
        ({"ramp": "steep"}, "ramp", "ready-made"),
        ({"population": "nobody"}, "population", "targeted"),
        ({"variant_key": ""}, "variant_key", "at least 1"),
        ({"reason": "x" * 2_001}, "reason", "2000"),
    ],
)
def test_a_release_that_is_refused_says_the_api_s_words_beside_the_field_and_keeps_what_was_typed(
    site: Site, fields: dict[str, str], place: str, told: str
) -> None:
    site.shown = made.experiment(Status.CONCLUDED)
    answer = site.steer("release", **(RELEASE | {"reason": "kept"} | fields))
    assert answer.status_code == 422
    beside = answer.text.partition(f'id="release-{place}-error"')[2].partition("</p>")[0]
    assert told in beside
    assert answer.text.count('class="error"') == 1
    if place != "reason":
        assert ">kept</textarea>" in answer.text


def test_the_stream_of_a_page_is_asked_for_the_row_that_is_open(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.web.experiment.endpoints.are_there", lambda _: True)
    for query, followed in (
        ("", "version=2"),
        ("?open=a%26b", "version=2&amp;open=a%26b"),
        ("?anyway=1&open=conversion", "version=2&amp;anyway=1&amp;open=conversion"),
    ):
        shown = site.send("GET", f"{PATH}{query}", "viewer")
        assert f'sse-connect="{PATH}/live?{followed}"' in shown.text


def test_results_and_the_newest_report_can_be_taken_away(site: Site) -> None:
    shown = site.send("GET", PATH, "viewer")
    assert 'href="/v1/experiments/checkout/results" download="checkout-results.json"' in shown.text
    assert 'href="/v1/reports/newest" download="checkout-report.html"' in shown.text
    assert "/v1/reports/older" not in shown.text
    site.away = True
    away = site.send("GET", PATH, "viewer")
    assert (away.status_code, "/v1/reports/" in away.text) == (200, False)
    site.shown = made.experiment(Status.DRAFT)
    assert "Download:" not in site.send("GET", PATH, "viewer").text


def test_what_the_state_does_not_allow_is_told_though_there_is_no_form_for_it(site: Site) -> None:
    answer = site.steer("continue", reason="x")
    assert "Nothing was changed" in answer.text
    assert "It is not held: it takes its next step by itself" in answer.text


def test_a_session_that_ended_leads_to_the_log_in_from_pages_and_forms(site: Site) -> None:
    shown, sent = site.send("GET", f"{PATH}?do=pause", "gone"), site.form("gone")
    assert shown.headers["location"] == "/login?next=%2Fexperiments%2Fcheckout%3Fdo%3Dpause&ended=1"
    assert sent.headers["location"] == "/login?next=%2Fexperiments%2Fcheckout&ended=1"
    assert {shown.status_code, sent.status_code} == {303}
    assert site.taken == []


def test_a_token_logs_in_and_leads_to_where_the_person_wanted_to_be(site: Site) -> None:
    led = site.send("POST", "/login", data={"token": " editor ", "next": PATH})
    assert (led.status_code, led.headers["location"]) == (303, PATH)
    assert "HttpOnly" in led.headers["set-cookie"]
    assert "SameSite=lax" in led.headers["set-cookie"]
    away = site.send("POST", "/login", data={"token": "editor", "next": "https://evil.example/"})
    assert away.headers["location"] == "/experiments"


@pytest.mark.parametrize(
    ("secret", "status", "told"),
    [
        ("unknown", 401, "unknown or was revoked"),
        ("ingest", 403, "for programs"),
        ("", 401, "Paste a token"),
        ("x" * 513, 401, "unknown"),
    ],
)
def test_who_can_not_log_in_is_told_why_on_the_same_page(
    site: Site, secret: str, status: int, told: str
) -> None:
    answer = site.send("POST", "/login", data={"token": secret, "next": PATH})
    assert answer.status_code == status
    assert told in answer.text
    assert f'name="next" value="{PATH}"' in answer.text
    assert "set-cookie" not in answer.headers


def test_another_site_logs_nobody_in(site: Site) -> None:
    for where in ("cross-site", "same-site"):
        answer = site.send("POST", "/login", data={"token": "editor"}, headers={"sec-fetch-site": where})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_who_logs_out_has_no_cookie_any_more(site: Site) -> None:
    refused = site.send("POST", "/logout", "viewer", data={"csrf": "wrong"})
    left = site.send("POST", "/logout", "viewer", data={"csrf": "csrf of viewer"})
    assert (refused.status_code, left.status_code, left.headers["location"]) == (403, 303, "/login")
    assert 'neonblue_session=""' in left.headers["set-cookie"]


def test_an_experiment_that_is_not_there_is_a_page(site: Site) -> None:
    answer = site.send("GET", "/experiments/nowhere", "viewer")
    assert (answer.status_code, "There is no such experiment." in answer.text) == (404, True)
    assert site.send("GET", "/experiments?state=nonsense", "viewer").status_code == 422
