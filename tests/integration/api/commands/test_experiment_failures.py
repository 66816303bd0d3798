"""What `neonblue experiment` says of what there is not, may not be, or gets lost."""

from __future__ import annotations

import httpx
import pytest

from tests.integration.api.commands.conftest import Run, words
from tests.integration.api.life_cycle import draft, started


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


def test_what_answers_but_is_no_api_of_ours_is_said(
    run: Run, another_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEONBLUE_API_URL", another_server)

    done = run("experiment", "list")

    assert done.exit_code == 1
    assert "is not NeonBlue's API" in words(done.stderr)
