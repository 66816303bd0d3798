"""Ramps over HTTP: each step is a version, taken once whoever looks at the same time, and what people say counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import pytest

from neonblue.ramps.planner import NOT_JUDGED
from tests.integration.api.conftest import Server
from tests.integration.api.life_cycle import (
    Json,
    audited,
    draft,
    messages,
    patch,
    refused,
    rows,
    started,
    step,
)

STEPS = [
    {"allocation": "1 %", "hold": "PT1H", "units": 50},
    {"allocation": 500, "hold": "PT2H"},
    {"allocation": 10_000, "hold": "P1D"},
]
RAMP: Json = {"steps": STEPS, "on_breach": "roll_back"}
HARM = {"metric_key": "errors", "variant_key": "b", "reason": "errors is breached in b"}


def ramped(api: httpx.Client, **fields: Any) -> Json:
    return started(api, ramp=RAMP | fields)


def now(api: httpx.Client, key: str) -> Json:
    found: Json = api.get(f"/v1/experiments/{key}").raise_for_status().json()
    return found


def shown(api: httpx.Client, key: str) -> Json:
    found: Json = api.get(f"/v1/experiments/{key}/ramp").raise_for_status().json()
    return found


def look(api: httpx.Client, key: str, position: int, units: int | None = 100, *breached: Json) -> Json:
    """What became of a look at this step."""
    return looked(api, key, {"position": position, "units": units, "breached": list(breached)})


def looked(api: httpx.Client, key: str, seen: Json) -> Json:
    answer = api.post(f"/v1/experiments/{key}/ramp/due", json=seen)
    assert answer.status_code == 200, answer.text
    done: Json = answer.json()
    return done


def say(api: httpx.Client, key: str, word: str, reason: str = "because") -> httpx.Response:
    return api.post(f"/v1/experiments/{key}/ramp/{word}", json={"reason": reason})


def pass_time(server: Server, key: str, interval: str) -> None:
    """Move the step's beginning into the past, as waiting would."""
    statement = """UPDATE experiment_ramps SET step_since = step_since - %s::interval
    WHERE experiment_id = (SELECT id FROM experiments WHERE key = %s) RETURNING position"""
    assert rows(server, statement, interval, key)


def versions(api: httpx.Client, key: str) -> list[tuple[str, str | None]]:
    """What was done and why, oldest first."""
    items = api.get(f"/v1/experiments/{key}/versions").raise_for_status().json()["items"]
    return [(item["action"], item["reason"]) for item in reversed(items)]


def test_a_ramp_takes_its_steps_when_time_and_units_are_reached(api: httpx.Client, postgres: Server) -> None:
    made = draft(api, ramp=RAMP)
    key = made["key"]
    assert (made["allocation"], made["ramp"]["position"], made["ramp"]["step_since"]) == (100, 0, None)
    begun = step(api, key, "start").raise_for_status().json()
    assert (begun["allocation"], begun["ramp"]["position"]) == (100, 1)
    assert datetime.fromisoformat(begun["ramp"]["step_since"]) >= datetime.fromisoformat(begun["started_at"])

    assert look(api, key, 1)["why"] == "step 1 holds until then"
    pass_time(postgres, key, "1 hour")
    assert look(api, key, 1, 49)["why"] == "49 of 50 units are in"
    assert shown(api, key)["next"]["waits_for"] == "49 of 50 units are in"
    assert look(api, key, 1, None)["why"] == "its units can't be counted now"
    unread = looked(api, key, {"position": 1, "units": 50, "breached": None})
    assert (unread["action"], unread["why"]) == (
        "wait",
        NOT_JUDGED,
    )
    assert look(api, key, 1, 50) | {"version": 0} == {
        "key": key, "action": "advance", "why": "step 2 of 3, 5 %", "status": "running", "version": 0,
        "allocation": 500, "position": 2,
    }  # fmt: skip
    pass_time(postgres, key, "119 minutes")
    assert look(api, key, 2)["action"] == "wait"
    pass_time(postgres, key, "1 minute")
    assert look(api, key, 2)["allocation"] == 10_000
    pass_time(postgres, key, "2 days")
    assert look(api, key, 3)["why"] == "every step is taken"
    assert shown(api, key)["next"] is None

    assert versions(api, key) == [
        ("create", None),
        ("start", None),
        ("ramp", "step 2 of 3, 5 %: 50 units in, no guardrail is breached"),
        ("ramp", "step 3 of 3, 100 %: 100 units in, no guardrail is breached"),
    ]
    assert audited(postgres, "experiment", key) == ["create", "start", "ramp", "ramp"]
    told = messages(postgres, made["id"])
    assert [(one.allocation, one.ramp.position) for one in told if one.ramp] == [
        (100, 0), (100, 1), (500, 2), (10_000, 3),
    ]  # fmt: skip
    history = api.get(f"/v1/experiments/{key}/versions").json()["items"]
    assert history[0]["difference"]["allocation"] == {"before": 500, "after": 10_000}


def test_of_many_who_look_at_once_one_takes_the_step(api: httpx.Client, postgres: Server) -> None:
    """With a step that is due again at once: what was seen before the first one counts for no second."""
    steps = [{"allocation": share, "hold": "PT1S"} for share in (100, 500, 1_000, 10_000)]
    key = ramped(api, steps=steps)["key"]
    pass_time(postgres, key, "1 hour")
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: look(api, key, 1), range(8)))
    assert sorted(one["action"] for one in done) == ["advance"] + ["wait"] * 7
    pass_time(postgres, key, "1 hour")
    stale = look(api, key, 1)
    assert (stale["action"], stale["why"]) == ("wait", "the ramp has moved on since this was seen")
    assert (now(api, key)["allocation"], now(api, key)["ramp"]["position"]) == (500, 2)


@pytest.mark.parametrize(
    ("on_breach", "own", "action", "status", "undo"),
    [
        ("hold", None, "hold", "running", "ramp/continue"),
        ("pause", None, "pause", "paused", "resume"),
        ("roll_back", None, "roll_back", "paused", "resume"),
        ("hold", "roll_back", "roll_back", "paused", "resume"),
        ("roll_back", "pause", "pause", "paused", "resume"),
        ("roll_back", "alert", "wait", "running", None),
    ],
)
def test_a_breach_does_what_the_guardrail_or_else_the_ramp_says_and_one_call_undoes_it(
    api: httpx.Client,
    postgres: Server,
    on_breach: str,
    own: str | None,
    action: str,
    status: str,
    undo: str | None,
) -> None:
    key = ramped(api, on_breach=on_breach)["key"]
    pass_time(postgres, key, "1 hour")
    done = look(api, key, 1, 100, HARM | {"on_breach": own})
    assert (done["action"], done["status"], done["why"]) == (action, status, HARM["reason"])
    assert now(api, key)["enrolment"] == ("closed" if action == "roll_back" else "open")
    again = look(api, key, 1, 100, HARM | {"on_breach": own})
    assert (again["action"], again["version"]) == ("wait", done["version"])
    if undo is not None:
        assert (
            say(api, key, undo[5:]).status_code == 200 if undo.startswith("ramp/") else step(api, key, undo)
        )
        after = now(api, key)
        assert (after["status"], after["enrolment"], after["ramp"]["held"]) == ("running", "open", None)
    assert now(api, key)["allocation"] == 100


def test_roll_back_closes_enrolment_and_resume_makes_it_what_it_was(api: httpx.Client) -> None:
    for enrolment in ("open", "closed"):
        key = started(api, enrolment=enrolment)["key"]
        back = step(api, key, "roll_back", {"reason": "errors"}).raise_for_status().json()
        assert (back["status"], back["enrolment"]) == ("paused", "closed")
        twice = step(api, key, "roll_back")
        assert (twice.status_code, twice.json()["code"], twice.json()["legal_steps"]) == (
            409, "illegal_step", ["resume", "conclude"],
        )  # fmt: skip
        again = step(api, key, "resume").raise_for_status().json()
        assert (again["status"], again["enrolment"]) == ("running", enrolment)
        step(api, key, "pause").raise_for_status()
        plain = step(api, key, "resume").raise_for_status().json()
        assert plain["enrolment"] == enrolment


def test_what_is_paused_can_be_rolled_back_and_a_persons_word_on_enrolment_stands(api: httpx.Client) -> None:
    key = started(api)["key"]
    step(api, key, "pause").raise_for_status()
    back = step(api, key, "roll_back").raise_for_status().json()
    assert (back["status"], back["enrolment"]) == ("paused", "closed")
    opened = patch(api, back, {"enrolment": "open"}).raise_for_status().json()
    closed = patch(api, opened, {"enrolment": "closed"}).raise_for_status().json()
    assert closed["enrolment"] == "closed"
    assert step(api, key, "resume").json()["enrolment"] == "closed"


def test_a_ramp_is_held_and_goes_on_with_the_time_that_was_spent(api: httpx.Client, postgres: Server) -> None:
    key = ramped(api)["key"]
    held = say(api, key, "hold", "a holiday").raise_for_status().json()
    assert held["ramp"]["held"] == "a holiday"
    assert say(api, key, "hold").json()["code"] == "ramp_held"
    pass_time(postgres, key, "1 hour")
    assert look(api, key, 1)["why"] == "it is held: a holiday"
    assert say(api, key, "continue", "it is over").json()["ramp"]["held"] is None
    assert say(api, key, "continue").json()["code"] == "ramp_not_held"
    assert look(api, key, 1)["action"] == "advance"
    assert versions(api, key)[2:4] == [("ramp_hold", "a holiday"), ("ramp_continue", "it is over")]


def test_skip_takes_the_next_step_whatever_holds_it(api: httpx.Client) -> None:
    key = ramped(api)["key"]
    say(api, key, "hold").raise_for_status()
    one = say(api, key, "skip", "seen enough").raise_for_status().json()
    assert (one["allocation"], one["ramp"]["position"], one["ramp"]["held"]) == (500, 2, None)
    assert say(api, key, "skip").json()["allocation"] == 10_000
    finished = say(api, key, "skip")
    assert (finished.status_code, finished.json()["code"]) == (409, "ramp_finished")


def test_back_holds_the_ramp_and_lets_nobody_in_until_it_continues(
    api: httpx.Client, postgres: Server
) -> None:
    key = ramped(api)["key"]
    back = say(api, key, "back", "complaints").raise_for_status().json()
    assert (back["status"], back["enrolment"], back["allocation"], back["ramp"]["held"]) == (
        "running", "closed", 100, "complaints",
    )  # fmt: skip
    assert say(api, key, "back").json()["code"] == "ramp_held"
    pass_time(postgres, key, "1 hour")
    assert look(api, key, 1)["action"] == "wait"
    # Rolled back and resumed meanwhile, it is as it was: taken back.
    step(api, key, "roll_back").raise_for_status()
    assert step(api, key, "resume").json()["enrolment"] == "closed"
    on = say(api, key, "continue").raise_for_status().json()
    assert (on["enrolment"], on["ramp"]["held"]) == ("open", None)
    # One that a person had closed stays closed.
    closed = patch(api, on, {"enrolment": "closed"}).raise_for_status().json()
    assert look(api, key, 1)["action"] == "wait"
    say(api, key, "back").raise_for_status()
    assert say(api, key, "continue").json()["enrolment"] == closed["enrolment"] == "closed"


def test_a_pause_begins_the_step_anew(api: httpx.Client, postgres: Server) -> None:
    key = ramped(api)["key"]
    pass_time(postgres, key, "1 hour")
    step(api, key, "pause").raise_for_status()
    assert look(api, key, 1)["why"] == "it does not run"
    assert say(api, key, "skip").json()["code"] == "not_running"
    step(api, key, "resume").raise_for_status()
    assert look(api, key, 1)["why"] == "step 1 holds until then"


def test_a_person_may_go_past_steps_and_the_ramp_goes_on_from_there(
    api: httpx.Client, postgres: Server
) -> None:
    made = ramped(api)
    key = made["key"]
    pass_time(postgres, key, "1 hour")
    raised = patch(api, made, {"allocation": 700}).raise_for_status().json()
    assert (raised["allocation"], raised["ramp"]["position"]) == (700, 2)
    assert look(api, key, 2)["action"] == "wait"  # the time runs anew
    pass_time(postgres, key, "2 hours")
    assert look(api, key, 2)["allocation"] == 10_000


def test_steps_to_come_may_change_and_those_taken_stay(api: httpx.Client, postgres: Server) -> None:
    made = ramped(api)
    changed = {"ramp": RAMP | {"steps": [STEPS[0], {"allocation": 300, "hold": "PT1M"}]}}
    after = patch(api, made, changed).raise_for_status().json()
    assert (after["ramp"]["position"], after["ramp"]["step_since"]) == (1, made["ramp"]["step_since"])
    pass_time(postgres, made["key"], "1 hour")
    assert look(api, made["key"], 1)["allocation"] == 300
    late = patch(api, now(api, made["key"]), {"ramp": "standard"})
    assert (late.status_code, refused(late)) == (
        409, {"ramp.steps.0": "frozen", "ramp.steps.1": "frozen"},
    )  # fmt: skip
    gone = patch(api, now(api, made["key"]), {"ramp": None}).raise_for_status().json()
    assert (gone["ramp"], gone["allocation"]) == (None, 300)
    anew = patch(api, gone, {"ramp": "standard"}).raise_for_status().json()
    assert (anew["ramp"]["position"], anew["allocation"]) == (1, 300)


def test_what_runs_without_a_ramp_may_get_one_whose_first_step_is_taken_next(
    api: httpx.Client, postgres: Server
) -> None:
    made = started(api, allocation=50)
    after = patch(api, made, {"ramp": RAMP}).raise_for_status().json()
    assert (after["ramp"]["position"], after["allocation"]) == (0, 50)
    step(api, made["key"], "pause").raise_for_status()
    assert step(api, made["key"], "resume").json()["ramp"]["position"] == 0
    assert look(api, made["key"], 0, None)["allocation"] == 100


def test_a_draft_with_a_ramp_has_its_first_steps_allocation(api: httpx.Client) -> None:
    body = {"key": "r", "variants": [{"key": "a", "is_control": True}, {"key": "b"}], "ramp": RAMP}
    both = api.post("/v1/experiments", json=body | {"allocation": 500}, params={"dry_run": "true"})
    assert (both.status_code, refused(both)) == (422, {"allocation": "invalid"})
    made = draft(api, ramp=RAMP, allocation="1 %")
    standard = patch(api, made, {"ramp": {"steps": STEPS[1:]}}).raise_for_status().json()
    assert standard["allocation"] == 500
    assert refused(patch(api, standard, {"allocation": 900})) == {"allocation": "invalid"}
    none = patch(api, standard, {"ramp": None, "allocation": 900}).raise_for_status().json()
    assert (none["ramp"], none["allocation"]) == (None, 900)
    api.delete(f"/v1/experiments/{draft(api, ramp='careful')['key']}").raise_for_status()


def test_the_last_step_concludes_and_ships_where_that_was_chosen(api: httpx.Client, postgres: Server) -> None:
    key = ramped(api, steps=STEPS[:1], release_at_end={"variant_key": "b"})["key"]
    pass_time(postgres, key, "59 minutes")
    assert look(api, key, 1)["action"] == "wait"
    assert say(api, key, "skip").json()["code"] == "ramp_finished"
    pass_time(postgres, key, "1 minute")
    done = look(api, key, 1)
    assert (done["action"], done["status"]) == ("conclude", "concluded")
    decision = now(api, key)["decision"]
    assert (decision["outcome"], decision["variant_key"]) == ("ship", "b")
    assert decision["reason"].endswith("as was chosen beforehand: 100 units in, no guardrail is breached")
    assert look(api, key, 1)["why"] == "it does not run"


def test_what_would_be_shipped_can_not_be_dropped(api: httpx.Client) -> None:
    made = ramped(api, release_at_end={"variant_key": "b"})
    answer = patch(api, made, {"variants": [{"key": "b", "active": False}]})
    assert (answer.status_code, refused(answer)) == (
        422,
        {"ramp.release_at_end.variant_key": "unknown_variant"},
    )


def test_what_has_no_ramp_is_not_found(api: httpx.Client) -> None:
    key = started(api)["key"]
    assert api.get(f"/v1/experiments/{key}/ramp").json()["code"] == "not_found"
    assert say(api, key, "hold").status_code == 404
    seen = {"position": 0, "units": None, "breached": None}
    assert api.post(f"/v1/experiments/{key}/ramp/due", json=seen).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("hold", {}, "reason"),
        ("skip", {"reason": ""}, "reason"),
        ("due", {"position": -1, "units": None, "breached": []}, "position"),
        ("due", {"position": 1, "breached": []}, "units"),
        (
            "due",
            {"position": 1, "units": 1, "breached": [HARM | {"on_breach": "hold"}]},
            "breached.0.on_breach",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_field(
    api: httpx.Client, path: str, body: Json, field: str
) -> None:
    answer = api.post(f"/v1/experiments/{ramped(api)['key']}/ramp/{path}", json=body)
    assert (answer.status_code, list(refused(answer))) == (422, [field])
