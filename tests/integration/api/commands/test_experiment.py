"""`neonblue experiment` against the API: every command, in every state."""

from __future__ import annotations

import json
import re
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from neonblue.cli.experiment import experiment as group
from tests.integration.api.commands.conftest import Run, words
from tests.integration.api.life_cycle import draft, patch, started, step
from tests.integration.api.test_life_cycle import LEGAL, WAY, _later

STEPS = {
    "schedule": [],
    "unschedule": [],
    "start": [],
    "pause": [],
    "resume": [],
    "conclude": ["--ship", "b", "--reason", "more people finish"],
    "archive": ["--yes"],
}


def _yaml(key: str, *lines: str) -> str:
    return "\n".join([f"key: {key}", "variants:", "  - {key: a, is_control: true}", "  - {key: off}", *lines])


def _key() -> str:
    return f"e-{uuid4()}"


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
    key = _key()
    file = tmp_path / "checkout.yaml"
    file.write_text(_yaml(key, "allocation: 10%", "owner: ada", "planned_days: 14"))

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


def test_the_example_is_an_experiment(run: Run) -> None:
    text = run("experiment", "example").stdout.replace("key: checkout\n", f"key: {_key()}\n")

    done = run("experiment", "create", "-f", "-", "--json", standard_input=text)

    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["allocation"] == 2_000


def test_the_smallest_experiment_of_the_documentation_is_one(run: Run) -> None:
    page = (Path(__file__).parents[4] / "docs/experiments.md").read_text()
    text = page.split("```yaml\n")[1].split("```")[0].replace("key: checkout\n", f"key: {_key()}\n")

    done = run("experiment", "create", "-f", "-", standard_input=text)

    assert done.exit_code == 0, done.stderr


def test_json_is_what_the_api_answered(run: Run, api: httpx.Client) -> None:
    key = started(api)["key"]
    path = f"/v1/experiments/{key}"

    assert json.loads(run("experiment", "show", key, "--json").stdout) == api.get(path).json()
    assert (
        json.loads(run("experiment", "history", key, "--json").stdout) == api.get(f"{path}/versions").json()
    )
    assert json.loads(run("experiment", "pause", key, "--json").stdout) == api.get(path).json()
    refused = run("experiment", "pause", key, "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["legal_steps"] == ["resume", "conclude"]
    assert "paused experiments can't take the step pause" in words(refused.stderr)


def test_a_checklist_is_what_the_api_warns_of(run: Run, api: httpx.Client) -> None:
    key = draft(api)["key"]
    warnings = api.get(f"/v1/experiments/{key}").json().get("warnings")

    done = run("experiment", "checklist", key)

    assert json.loads(run("experiment", "checklist", key, "--json").stdout) == warnings
    if warnings is None:
        assert (done.exit_code, done.stdout) == (1, "")
    else:
        assert done.exit_code == 0
        assert len(done.stdout.splitlines()) == max(1, len(warnings))


def test_a_file_that_breaks_rules_names_each_field_and_rule(run: Run, api: httpx.Client) -> None:
    key = _key()
    text = (
        f"key: {key}\ncolour: red\nallocation: 101%\nvariants:\n  - {{key: a}}\n  - {{key: b, weight: 0}}\n"
    )

    done = run("experiment", "create", "-f", "-", standard_input=text)

    assert (done.exit_code, done.stdout) == (1, "")
    said = words(done.stderr)
    assert "3 rules are broken" in said
    for place, code in (
        ("colour:", "(unknown_field)"),
        ("allocation:", "(value_out_of_range)"),
        ("variants.1.weight:", "(value_out"),
    ):
        assert place in said
        assert code in said
    assert api.get(f"/v1/experiments/{key}").status_code == 404


def test_a_key_that_is_taken_is_refused(run: Run, api: httpx.Client) -> None:
    done = run("experiment", "create", "-f", "-", standard_input=_yaml(draft(api)["key"]))

    assert done.exit_code == 1
    assert "key: An experiment with this key exists" in words(done.stderr)


def test_a_list_holds_every_experiment_once_past_the_end_of_a_page(run: Run, api: httpx.Client) -> None:
    tag = uuid4().hex
    keys = [draft(api, tags=[tag])["key"] for _ in range(201)]

    done = run("experiment", "list", "--tag", tag)

    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == keys[::-1]
    answer = json.loads(run("experiment", "list", "--tag", tag, "--json").stdout)
    assert [item["key"] for item in answer["items"]] == keys[::-1]
    assert answer["next_cursor"] is None


def test_a_list_can_be_of_some_states(run: Run, api: httpx.Client) -> None:
    tag = uuid4().hex
    running = started(api, tags=[tag])["key"]
    waiting = draft(api, tags=[tag])["key"]

    assert waiting not in run("experiment", "list", "--tag", tag, "--status", "running").stdout
    both = run("experiment", "list", "--tag", tag, "--status", "running", "--status", "draft").stdout
    assert running in both
    assert waiting in both
    assert run("experiment", "list", "--tag", uuid4().hex).stdout == "none like that\n"
    wrong = run("experiment", "list", "--status", "runing")
    assert wrong.exit_code == 1
    assert "'draft', 'scheduled', 'running', 'paused', 'concluded' or 'archived'" in words(wrong.stderr)


def test_a_change_made_from_an_older_state_is_refused(run: Run, api: httpx.Client) -> None:
    made = started(api, allocation=1_000)
    key, seen = made["key"], str(made["version"])
    patch(api, made, {"owner": "bo"}).raise_for_status()

    for arguments in (
        ("ramp", key, "50%"),
        ("change", key, "-f", "-"),
        ("pause", key),
        ("conclude", key, "--inconclusive", "--reason", "x"),
    ):
        done = run("experiment", *arguments, "--version", seen, standard_input="name: mine")
        assert done.exit_code == 1, arguments
        assert "It was changed since you read it" in words(done.stderr)
        assert "neonblue experiment show" in words(done.stderr)
    now = api.get(f"/v1/experiments/{key}").json()
    assert (now["version"], now["status"], now["allocation"], now["name"]) == (3, "running", 1_000, None)


def test_a_change_says_what_became_of_it(run: Run, api: httpx.Client) -> None:
    key = draft(api)["key"]

    changed = run(
        "experiment", "change", key, "-f", "-", "--reason", "so", standard_input="owner: ada\nallocation: 5%"
    )
    again = run("experiment", "change", key, "-f", "-", standard_input="owner: ada")

    assert changed.stdout == f"{key} is changed: version 2\n"
    assert again.stdout == f"{key}: nothing differs\n"
    frozen = run(
        "experiment", "change", started(api)["key"], "-f", "-", standard_input="unit_type: device\nsalt: x"
    )
    assert frozen.exit_code == 1
    assert "unit_type: " in frozen.stderr
    assert "salt: " in frozen.stderr


def test_an_allocation_only_grows_and_is_a_percentage(run: Run, api: httpx.Client) -> None:
    key = started(api, allocation=5_000)["key"]

    assert "is 5000 and may only grow" in words(run("experiment", "ramp", key, "20%").stderr)
    for text in ("2000", "0.2", "120%", "half"):
        done = run("experiment", "ramp", key, text)
        assert done.exit_code == 2
        assert "say a percentage" in words(done.stderr)


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


@pytest.mark.parametrize(
    "command", ["show", "history", "start", "archive", "delete", "conclude", "ramp", "change"]
)
def test_an_experiment_that_there_is_not_is_a_sentence(run: Run, command: str) -> None:
    further = {
        "archive": ["--yes"],
        "delete": ["--yes"],
        "conclude": ["--decide-later"],
        "ramp": ["5%"],
        "change": ["-f", "-"],
    }
    done = run("experiment", command, "no-such", *further.get(command, []), standard_input="name: x")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "There is no such experiment" in words(done.stderr)


@pytest.mark.parametrize("key", ["../tokens", "a b", "a/b", "ü", "?x=1", "%2e%2e"])
def test_a_key_that_no_experiment_can_have_reaches_nothing_else(run: Run, key: str) -> None:
    done = run("experiment", "show", key)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error  ")


def test_a_step_whose_answer_was_lost_is_carried_out_once(
    run: Run, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = started(api)["key"]
    sent: list[str] = []
    real = httpx.Client.request

    def losing(self: httpx.Client, method: str, url: str, **more: object) -> httpx.Response:
        answer: httpx.Response = real(self, method, url, **more)  # type: ignore[arg-type]
        sent.append(method)
        if sent.count("POST") == 1 and method == "POST":
            raise httpx.ReadError("the connection was reset")
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(httpx.Client, "request", losing)
        done = run("experiment", "pause", key)

    assert done.stdout == f"{key} is paused\n"
    assert sent.count("POST") == 2
    assert api.get(f"/v1/experiments/{key}").json()["version"] == 3


def test_a_change_whose_answer_was_lost_is_not_made_again_and_told(
    run: Run, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = started(api, allocation=1_000)["key"]
    real = httpx.Client.request

    def losing(self: httpx.Client, method: str, url: str, **more: object) -> httpx.Response:
        answer: httpx.Response = real(self, method, url, **more)  # type: ignore[arg-type]
        if method == "PATCH":
            raise httpx.ReadError("the connection was reset")
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(httpx.Client, "request", losing)
        done = run("experiment", "ramp", key, "50%")

    assert done.exit_code == 1
    assert "It is not known whether the change was made" in words(done.stderr)


def test_a_token_that_may_not_is_told_what_is_needed(
    run: Run, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = draft(api)["key"]
    secret = run("token", "create", "--name", "reader", "--scope", "viewer").stdout.strip()
    monkeypatch.setenv("NEONBLUE_API_TOKEN", secret)

    assert run("experiment", "show", key).exit_code == 0
    done = run("experiment", "start", key)
    assert done.exit_code == 1
    assert "The token needs the scope editor" in words(done.stderr)
    monkeypatch.setenv("NEONBLUE_API_TOKEN", "no-token")
    assert "The token is unknown or revoked" in words(run("experiment", "list").stderr)


def test_history_names_the_token_that_made_a_change(
    run: Run, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = draft(api)["key"]
    secret = run("token", "create", "--name", "ada", "--scope", "editor").stdout.strip()
    monkeypatch.setenv("NEONBLUE_API_TOKEN", secret)

    run("experiment", "start", key)

    assert "start ada (token" in words(run("experiment", "history", key).stdout)


def test_what_answers_but_is_no_api_of_ours_is_said(
    run: Run, another_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEONBLUE_API_URL", another_server)

    done = run("experiment", "list")

    assert done.exit_code == 1
    assert "is not NeonBlue's API" in words(done.stderr)
