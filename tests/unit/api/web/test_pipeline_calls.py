"""The pipeline's calls with its state made up: who may open a letter and send again, and where that leads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from api.http.problems import Problem
from api.pipeline_state.looking import Look
from api.pipeline_state.service import PipelineState, Seen
from api.pipeline_state.warehouse import Kind, Letter
from tests.unit.api.web import test_forms
from tests.unit.api.web.made import NOW
from tests.unit.api.web.test_forms import Site
from tests.unit.api.web.test_pipeline_page import WELL

site = test_forms.site
OPENED = "/pipeline/letters?error=value%3A%20no%20decimal"


@dataclass
class Line:
    """What was done with the pipeline."""

    done: list[tuple[str, ...]] = field(default_factory=list)
    refusal: Problem | None = None


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    found = Line()

    async def look(_: PipelineState) -> Seen:
        kinds = (Kind("value: no decimal", 1, NOW, NOW),)
        return Seen(**{name: getattr(WELL, name) for name in WELL.__slots__} | {"letters": Look(kinds)})

    async def letters(_: PipelineState, error: str, actor: Any) -> Look[tuple[Letter, ...]]:
        found.done.append(("letters", error, actor.name))
        return Look((Letter("events", 1, 2, 0, NOW, "48,90 of somebody", False),))

    async def replay(_: PipelineState, actor: Any) -> None:
        if found.refusal is not None:
            raise found.refusal
        found.done.append(("replay", actor.name))

    for name, made_up in (("look", look), ("letters", letters), ("replay", replay)):
        monkeypatch.setattr(PipelineState, name, made_up)
    return found


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_everybody_sees_how_it_stands_and_admins_alone_what_a_letter_holds(
    site: Site, line: Line, role: str
) -> None:
    page = site.send("GET", "/pipeline", role)
    assert page.status_code == 200
    assert "Events flow, and results follow" in page.text
    assert "48,90 of somebody" not in page.text
    opened = site.send("GET", OPENED, role)
    assert opened.status_code == (200 if role == "admin" else 403)
    assert ("48,90 of somebody" in opened.text) == (role == "admin")
    assert line.done == ([("letters", "value: no decimal", "token:1:admin")] if role == "admin" else [])


@pytest.mark.parametrize(
    ("role", "fields", "status"),
    [
        ("admin", {"csrf": "csrf of admin"}, 303),
        ("admin", {"csrf": "wrong"}, 403),
        ("admin", {"other": "field"}, 403),
        ("admin", {"csrf": "csrf of editor"}, 403),
        ("editor", {"csrf": "csrf of editor"}, 403),
        ("viewer", {"csrf": "csrf of viewer"}, 403),
    ],
)
def test_an_administrator_with_the_page_s_form_alone_sends_again(
    site: Site, line: Line, role: str, fields: dict[str, str], status: int
) -> None:
    answer = site.send("POST", "/pipeline/replay", role, data=fields)
    assert answer.status_code == status
    assert line.done == ([("replay", "token:1:admin")] if status == 303 else [])
    if status == 303:
        assert answer.headers["location"] == "/pipeline#letters"


@pytest.mark.parametrize(("status", "detail"), [(409, "One is under way"), (503, "Nobody would carry it")])
def test_a_refusal_is_told_on_the_same_page(site: Site, line: Line, status: int, detail: str) -> None:
    line.refusal = Problem(status, "refused", detail)
    answer = site.send("POST", "/pipeline/replay", "admin", data={"csrf": "csrf of admin"})
    assert answer.status_code == status
    assert detail in answer.text
    assert "The way of an event" in answer.text


def test_a_long_error_is_refused_before_anything_is_asked(site: Site, line: Line) -> None:
    assert site.send("GET", f"/pipeline/letters?error={'x' * 501}", "admin").status_code == 422
    assert site.send("GET", "/pipeline/letters", "admin").status_code == 422
    assert line.done == []
