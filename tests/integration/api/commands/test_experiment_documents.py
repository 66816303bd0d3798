"""`neonblue experiment create`, `change` and `ramp` against the API."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.integration.api.commands.conftest import Run, document, new_key, words
from tests.integration.api.life_cycle import draft, patch, started


def test_the_example_is_an_experiment(run: Run) -> None:
    text = run("experiment", "example").stdout.replace("key: checkout\n", f"key: {new_key()}\n")

    done = run("experiment", "create", "-f", "-", "--json", standard_input=text)

    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["allocation"] == 2_000


def test_the_smallest_experiment_of_the_documentation_is_one(run: Run) -> None:
    page = (Path(__file__).parents[4] / "docs/experiments.md").read_text()
    text = page.split("```yaml\n")[1].split("```")[0].replace("key: checkout\n", f"key: {new_key()}\n")

    done = run("experiment", "create", "-f", "-", standard_input=text)

    assert done.exit_code == 0, done.stderr


def test_a_file_that_breaks_rules_names_each_field_and_rule(run: Run, api: httpx.Client) -> None:
    key = new_key()
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
    done = run("experiment", "create", "-f", "-", standard_input=document(draft(api)["key"]))

    assert done.exit_code == 1
    assert "key: An experiment with this key exists" in words(done.stderr)


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


def test_a_dry_run_says_what_would_become_of_the_file_and_stores_nothing(run: Run, api: httpx.Client) -> None:
    key = new_key()
    text = document(key, "allocation: 0.5%")

    dry = run("experiment", "create", "--dry-run", "-f", "-", standard_input=text)
    shown = run("experiment", "create", "--dry-run", "-f", "-", "--json", standard_input=text)

    assert (dry.exit_code, dry.stdout) == (0, f"{key} can be created as it is; nothing was stored\n")
    assert api.get(f"/v1/experiments/{key}").status_code == 404
    made = run("experiment", "create", "-f", "-", standard_input=text)
    assert made.exit_code == 0
    assert dry.stderr == made.stderr != ""
    assert json.loads(shown.stdout)["allocation"] == 50


def test_a_dry_run_is_refused_as_the_creation_would_be(run: Run, api: httpx.Client) -> None:
    for text in (document(draft(api)["key"]), document(new_key(), "holdouts: [no-such]", "colour: red")):
        dry, real = (
            run("experiment", "create", *options, "-f", "-", standard_input=text)
            for options in (["--dry-run"], [])
        )

        assert (dry.exit_code, dry.stdout, dry.stderr) == (1, "", real.stderr)
