"""Ramp, enrolment and release by the forms of an experiment's page, without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.api.access.conftest import TokenMaker
from tests.integration.api.access.test_pages import FORM, HIDDEN, Browser, browser, path_of
from tests.integration.api.life_cycle import started, step

STEPS = [{"allocation": 1_000, "hold": "P1D"}, {"allocation": 10_000, "hold": "P1D"}]


@pytest.fixture
def editor(whole_api: httpx.Client, make_token: TokenMaker) -> Iterator[Browser]:
    with browser(whole_api) as person:
        assert person.log_in(make_token("editor")).status_code == 303
        yield person


def fields_of(person: Browser, experiment: dict[str, Any], act: str) -> dict[str, str]:
    """The hidden fields of the form that has a button for the act."""
    path = path_of(experiment)
    for action, inner in FORM.findall(person.open(path).text):
        if action.startswith(f"{path}/traffic") and f'name="act" value="{act}"' in inner:
            return {**dict(HIDDEN.findall(inner)), "act": act}
    raise AssertionError(f"{path} has no form with {act}")


def say(
    person: Browser, experiment: dict[str, Any], act: str, status: int = 303, **fields: str
) -> httpx.Response:
    form = fields_of(person, experiment, act)
    answer = person.post(f"{path_of(experiment)}/traffic", form | fields)
    assert answer.status_code == status, answer.text
    return answer


def read(api: httpx.Client, experiment: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/v1/experiments/{experiment['key']}").json()
    return found


def test_a_person_steers_a_ramp_and_the_enrolment(whole_api: httpx.Client, editor: Browser) -> None:
    made = started(whole_api, ramp={"steps": STEPS})
    say(editor, made, "hold", reason="the shop is closed")
    assert read(whole_api, made)["ramp"]["held"] == "the shop is closed"
    assert "Held: the shop is closed" in editor.open(path_of(made)).text
    say(editor, made, "continue", reason="it is open")
    say(editor, made, "skip", reason="we know enough")
    assert (read(whole_api, made)["allocation"], read(whole_api, made)["ramp"]["held"]) == (10_000, None)
    say(editor, made, "close")
    assert read(whole_api, made)["enrolment"] == "closed"
    say(editor, made, "open", reason="more are needed")
    assert read(whole_api, made)["enrolment"] == "open"
    refused = say(editor, made, "back", 422, reason=" ")
    assert 'id="ramp-reason-error"' in refused.text


def test_a_person_releases_a_variant_to_a_share(whole_api: httpx.Client, editor: Browser) -> None:
    made = started(whole_api)
    assert step(whole_api, made["key"], "conclude").status_code == 200
    wanted = {"variant_key": "b", "share": "25", "population": "targeted", "ramp": "none"}
    late = fields_of(editor, made, "release") | wanted
    say(editor, made, "release", **wanted, reason="the first day")
    release = read(whole_api, made)["release"]
    assert (release["variant_key"], release["share"], release["ramp"]) == ("b", 2_500, None)

    refused = editor.post(f"{path_of(made)}/traffic", late | {"share": "50"})
    assert refused.status_code == 412
    assert "It was changed while you looked at it" in refused.text
    assert 'value="50"' in refused.text
    assert read(whole_api, made)["release"]["share"] == 2_500

    unfit = say(editor, made, "release", 422, **wanted | {"variant_key": "nobody"})
    assert "must be a variant that was not dropped" in unfit.text
    say(editor, made, "release", **wanted | {"ramp": "careful"})
    assert read(whole_api, made)["release"]["ramp"]["steps"]


@pytest.mark.parametrize("act", ["hold", "close", "release"])
def test_a_viewer_has_no_such_form_and_is_refused(
    whole_api: httpx.Client, make_token: TokenMaker, act: str
) -> None:
    made = started(whole_api, ramp={"steps": STEPS})
    with browser(whole_api) as person:
        person.log_in(make_token("viewer"))
        page = person.open(path_of(made)).text
        assert [action for action, _ in FORM.findall(page)] == ["/logout"]
        form = {"csrf": dict(HIDDEN.findall(page))["csrf"], "version": "2", "act": act, "reason": "x"}
        assert person.post(f"{path_of(made)}/traffic", form).status_code == 403
    assert read(whole_api, made)["version"] == made["version"]
