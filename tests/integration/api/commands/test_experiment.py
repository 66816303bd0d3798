"""`neonblue experiment` against the API: the steps of its life, in every state."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from neonblue.cli.experiment import experiment as group
from tests.integration.api.commands.conftest import Run, document, new_key, words
from tests.integration.api.fleet import wait_until
from tests.integration.api.life_cycle import draft, started, step
from tests.integration.api.test_life_cycle import LEGAL, WAY, _later

STEPS = {
    "schedule": [],
    "unschedule": [],
    "start": [],
    "pause": [],
    "roll_back": [],
    "resume": [],
    "conclude": ["--ship", "b", "--reason", "more people finish"],
    "archive": ["--yes"],
}


def test_every_step_of_the_api_is_a_command(api: httpx.Client) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    offered = {
        path.rpartition("/")[2]
        for path, methods in paths.items()
        if path.startswith("/v1/experiments/{key}/") and "post" in methods and path.count("/") == 4
    }
    commands = {
        command.name or command.callback.__name__ for command in group.registered_commands if command.callback
    }

    assert offered - {"looks"} == set(STEPS)
    assert set(STEPS) <= commands


@pytest.mark.parametrize("status", LEGAL)
def test_a_step_is_taken_where_it_is_legal_and_else_refused_with_those_that_are(
    run: Run, api: httpx.Client, status: str
) -> None:
    for name, options in STEPS.items():
        key = draft(api, scheduled_start_at=_later(days=1))["key"]
        for before in WAY[status]:
            step(api, key, before).raise_for_status()

        done = run("experiment", name, key, *options)

        if name in LEGAL[status]:
            assert done.exit_code == 0, done.stderr
            assert f"{key} is {api.get(f'/v1/experiments/{key}').json()['status']}" in done.stdout
        else:
            assert (done.exit_code, done.stdout) == (1, "")
            legal = ", ".join(LEGAL[status]) or "none"
            expected = f"{status} experiments can't take the step {name}; legal steps: {legal}"
            assert expected in words(done.stderr)
            assert api.get(f"/v1/experiments/{key}").json()["status"] == status


def test_the_whole_life_by_commands(run: Run, api: httpx.Client, tmp_path: Path) -> None:
    key = new_key()
    file = tmp_path / "checkout.yaml"
    file.write_text(document(key, "allocation: 10%", "owner: ada", "planned_days: 14"))

    assert f"neonblue experiment start {key}" in words(run("experiment", "create", "-f", str(file)).stdout)
    assert run("experiment", "start", key, "--reason", "ready").stdout == f"{key} is running\n"
    assert (
        run("experiment", "ramp", key, "50%", "--reason", "no harm").stdout
        == f"{key}: 10 % → 50 % of traffic\n"
    )
    assert run("experiment", "pause", key).stdout == f"{key} is paused\n"
    assert run("experiment", "resume", key).stdout == f"{key} is running\n"
    ended = run("experiment", "conclude", key, "--ship", "off", "--reason", "more people finish")
    assert re.fullmatch(
        rf"{key} is concluded; decided: ship off, by bootstrap \(token 1\) at [-\d :]+Z: more people finish\n",
        ended.stdout,
    )
    again = run("experiment", "decide", key, "--roll-back", "--reason", "it broke")
    assert "decided: roll back, by bootstrap" in again.stdout

    shown = words(run("experiment", "show", key).stdout)
    for text in (
        "concluded",
        "owner ada",
        "allocation 50 %",
        "decided: roll back, by bootstrap (token",
        "it broke",
    ):
        assert text in shown
    told = words(run("experiment", "history", key).stdout)
    for text in ("ready", "allocation: 10 % → 50 % no harm", "status: running → paused"):
        assert text in told

    assert run("experiment", "archive", key, "--yes").stdout == f"{key} is archived\n"
    assert api.get(f"/v1/experiments/{key}").json()["status"] == "archived"


def test_a_ramp_by_commands(run: Run, api: httpx.Client) -> None:
    key = draft(api)["key"]
    planned = run("experiment", "ramp", key, "--plan", "standard").stdout
    assert planned.startswith(f"{key}: 0 of 6 steps taken (1 % P1D, 5 % P1D, 10 % P1D, 25 % P1D")
    step(api, key, "start").raise_for_status()
    shown = words(run("experiment", "ramp", key).stdout)
    assert "1 % for P1D: current 5 % for P1D: to come" in shown
    assert "waits for: step 1 holds until then" in shown
    for option, said in (
        ("--hold", "stays at its step: 1 % of traffic"),
        ("--continue", "goes on: 1 % of traffic"),
        ("--skip", "took its next step: 5 % of traffic"),
        ("--back", "is held and takes nobody in: 5 % of traffic"),
    ):
        asked = run("experiment", "ramp", key, option)
        assert (asked.exit_code, "--reason TEXT" in words(asked.stderr)) == (2, True)
        assert (
            run("experiment", "ramp", key, option, "--reason", "because").stdout
            == f"{key}: the ramp {said}\n"
        )
    assert "2 of 6 steps taken, held: because" in words(run("experiment", "show", key).stdout)
    both = run("experiment", "ramp", key, "50%", "--plan", "careful")
    assert (both.exit_code, "say one of" in words(both.stderr)) == (2, True)
    assert run("experiment", "roll_back", key).stdout == f"{key} is paused\n"


def test_what_can_not_be_undone_asks_and_where_nobody_answers_needs_yes(run: Run, api: httpx.Client) -> None:
    waiting, ended = draft(api)["key"], started(api)["key"]
    step(api, ended, "conclude").raise_for_status()

    for name, key in (("delete", waiting), ("archive", ended)):
        asked = run("experiment", name, key)
        assert asked.exit_code == 2
        assert "say --yes" in words(asked.stderr)
    assert run("experiment", "delete", waiting, "--yes").stdout == f"{waiting} is deleted\n"
    assert api.get(f"/v1/experiments/{waiting}").status_code == 404
    done = run("experiment", "delete", ended, "--yes")
    assert done.exit_code == 1
    assert "Only drafts can be deleted; this one is concluded" in words(done.stderr)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "say what is decided, one of: --ship VARIANT, --roll-back, --inconclusive, --decide-later"),
        (["--ship", "b", "--roll-back", "--reason", "x"], "say what is decided"),
        (["--ship", "b"], "say why: --reason TEXT"),
        (["--decide-later", "--reason", "x"], "--reason belongs to a decision"),
    ],
)
def test_a_conclusion_says_what_is_decided_and_why(
    run: Run, api: httpx.Client, options: list[str], message: str
) -> None:
    key = started(api)["key"]

    done = run("experiment", "conclude", key, *options)

    assert done.exit_code == 2
    assert message in words(done.stderr)
    assert api.get(f"/v1/experiments/{key}").json()["status"] == "running"


def test_a_decision_for_an_arm_that_there_is_not_concludes_nothing(run: Run, api: httpx.Client) -> None:
    key = started(api)["key"]

    done = run("experiment", "conclude", key, "--ship", "z", "--reason", "x")

    assert done.exit_code == 1
    assert "variant_key: must be a treatment that was not dropped: b, c" in words(done.stderr)
    assert run("experiment", "conclude", key, "--decide-later").stdout == f"{key} is concluded\n"


def test_a_key_in_use_is_archived_by_force_with_a_reason_alone(run: Run, api: httpx.Client) -> None:
    key = started(api)["key"]
    for user in ("u", "v"):
        body = {"experiment": key, "user_id": user}
        api.post("/v1/assignments", json=body).raise_for_status()
    step(api, key, "conclude").raise_for_status()
    wait_until(
        lambda: "was asked for 2 times" in words(run("experiment", "evaluations", key).stdout), "stored"
    )

    shown = words(run("experiment", "evaluations", key, "--hours", "24").stdout)
    assert f"{key} was asked for 2 times in the last 24 hours, the last time at" in shown
    assert "assigned" in shown
    found = json.loads(run("experiment", "evaluations", key, "--json").stdout)
    assert (found["total"], found["hours"][0]["total"]) == (2, 2)
    asked = run("experiment", "archive", key)
    assert asked.exit_code == 2
    assert "was asked for 2 times in the last 7 days, the last time at" in words(asked.stderr)
    refused = run("experiment", "archive", key, "--yes")
    assert refused.exit_code == 1
    assert "The key was asked for 2 times in the last 7 days, the last time at" in words(refused.stderr)
    unreasoned = run("experiment", "archive", key, "--force", "--yes")
    assert (unreasoned.exit_code, "say why: --reason TEXT" in words(unreasoned.stderr)) == (2, True)
    forced = run("experiment", "archive", key, "--force", "--reason", "a crawler", "--yes")
    assert forced.stdout == f"{key} is archived\n"
    assert "a crawler" in words(run("experiment", "history", key).stdout)


def test_what_is_stale_is_listed(run: Run, api: httpx.Client) -> None:
    key = started(api, owner="a team that made one experiment")["key"]
    options = ("experiment", "list", "--owner", "a team that made one experiment")
    assert key in run(*options).stdout
    assert run(*options, "--stale").stdout == "none like that\n"


def test_a_release_is_changed_by_command(run: Run, api: httpx.Client) -> None:
    key = started(api)["key"]
    early = run("experiment", "release", key, "25%")
    assert (early.exit_code, "--variant VARIANT" in words(early.stderr)) == (2, True)
    refused = run("experiment", "release", key, "25%", "--variant", "b")
    assert (refused.exit_code, "this one is running" in words(refused.stderr)) == (1, True)
    run("experiment", "conclude", key, "--ship", "b", "--reason", "more people finish")

    assert (
        run("experiment", "release", key, "25%", "--reason", "a first step").stdout
        == f"{key} is released: b to 25 % of those targeted\n"
    )
    assert (
        run("experiment", "release", key, "100%", "--everyone").stdout
        == f"{key} is released: b to 100 % of everyone\n"
    )
    assert "b to 100 % of everyone" in words(run("experiment", "show", key).stdout)
    assert run("experiment", "release", key, "101%").exit_code == 2
    grows = run("experiment", "release", key, "--plan", "standard").stdout
    assert grows.startswith(f"{key} is released: b to 1 % of everyone, 5 % from ")
    assert "b to 1 % of everyone, 5 % from " in words(run("experiment", "show", key).stdout)
    unknown = run("experiment", "release", key, "--plan", "bold")
    assert (unknown.exit_code, "one of the ready-made: standard, careful" in words(unknown.stderr)) == (
        1,
        True,
    )
    assert run("experiment", "release", key, "25%", "--plan", "standard").exit_code == 2
    assert run("experiment", "release", key).exit_code == 2
