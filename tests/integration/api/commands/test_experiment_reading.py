"""`neonblue experiment list`, `show`, `history` and `checklist` against the API."""

from __future__ import annotations

import json
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.integration.api.commands.conftest import Run, words
from tests.integration.api.conftest import Server
from tests.integration.api.life_cycle import draft, started


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
    assert json.loads(refused.stdout)["legal_steps"] == ["resume", "roll_back", "conclude"]
    assert "paused experiments can't take the step pause" in words(refused.stderr)


def test_a_checklist_shows_every_item_with_why_and_what_to_do(run: Run, api: httpx.Client) -> None:
    key = draft(api)["key"]
    items = api.get(f"/v1/experiments/{key}/checklist").json()["items"]

    done = run("experiment", "checklist", key)

    assert json.loads(run("experiment", "checklist", key, "--json").stdout)["items"] == items
    assert done.exit_code == 0
    for item in items:
        told = [item["headline"]] if item["status"] == "ok" else [item["headline"], item["cause"]]
        assert all(text in words(done.stdout) for text in told if text)


def test_a_start_that_is_refused_is_forced_with_a_reason(
    run: Run, api: httpx.Client, postgres: Server
) -> None:
    made = draft(api, variants=[{"key": "a", "is_control": True, "payload": {"value": 1}}, {"key": "b"}])
    with psycopg.connect(postgres.dsn) as connection:  # as an earlier version stored it
        connection.execute(
            "UPDATE variants SET payload = '{\"value\": \"1\"}' WHERE experiment_id = %s AND key = 'b'",
            (made["id"],),
        )

    refused = run("experiment", "start", made["key"])
    assert (refused.exit_code, "payloads are of several types" in words(refused.stderr)) == (1, True)
    assert run("experiment", "start", made["key"], "--force").exit_code == 2
    done = run("experiment", "start", made["key"], "--force", "--reason", "both are read as texts")
    assert (done.exit_code, f"{made['key']} is running" in done.stdout) == (0, True)


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


def test_history_names_the_token_that_made_a_change(
    run: Run, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = draft(api)["key"]
    secret = run("token", "create", "--name", "ada", "--scope", "editor").stdout.strip()
    monkeypatch.setenv("NEONBLUE_API_TOKEN", secret)

    run("experiment", "start", key)

    assert "start ada (token" in words(run("experiment", "history", key).stdout)
