"""OpenFeature's SDKs for Node and the web: evaluate, expose, and the units are in the results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest

from tests.integration.api.conftest import TOKEN
from tests.integration.api.prometheus import counted
from tests.integration.openfeature.conftest import Json, Runner
from tests.integration.orchestration.browser import NEEDED, chromium, until
from tests.integration.results.conftest import House

ORIGIN = "https://shop.example.com"
BULK, ASSIGN = "/ofrep/v1/evaluate/flags", "/v1/assignments"
Start = Callable[..., str]
MakeToken = Callable[[str], str]


def reading(flag: str, unit: str, kind: str = "String", fallback: Any = "none", **attributes: Any) -> Json:
    return {"type": kind, "flag": flag, "fallback": fallback, "context": {"targetingKey": unit} | attributes}


def stored(house: House, flag: str) -> dict[str, tuple[str, bool]]:
    """Variant and whether exposed, by unit."""
    with psycopg.connect(house.dsn) as connection:
        rows = connection.execute(
            """SELECT user_id, variant_key, exposed_at IS NOT NULL FROM assignments
            JOIN experiments ON experiments.id = experiment_id WHERE key = %s""",
            (flag,),
        ).fetchall()
    return {unit: (variant, exposed) for unit, variant, exposed in rows}


def address(house: House) -> str:
    return str(house.api.base_url).rstrip("/")


def test_node_reads_every_type_and_each_reading_is_an_exposure(
    empty_house: House, run: Runner, running: Start
) -> None:
    values = {"Boolean": True, "String": "green", "Number": 2.5, "Object": {"colour": "green"}}
    flags = {kind: running(({"value": value}, {"value": value})) for kind, value in values.items()}
    fallbacks = {"Boolean": False, "String": "", "Number": 0, "Object": {}}

    found = run(
        "read_in_node.mjs",
        baseUrl=address(empty_house),
        token=TOKEN,
        readings=[reading(flags[kind], "ada", kind, fallbacks[kind]) for kind in values],
    )

    for (kind, value), result in zip(values.items(), found["results"], strict=True):
        assert (result["value"], result["reason"], result.get("errorCode")) == (value, "SPLIT", None)
        assert stored(empty_house, flags[kind]) == {"ada": (result["variant"], True)}


@pytest.mark.parametrize("fallback", [True, False])
def test_node_outside_the_experiment_has_the_applications_default_without_an_error(
    empty_house: House, run: Runner, running: Start, fallback: bool
) -> None:
    outside = running(({"value": True}, {"value": True}), allocation=0, outside="null")
    null = running(({"value": None}, {"value": None}))
    given = {
        "baseUrl": address(empty_house),
        "token": TOKEN,
        "readings": [
            reading(outside, "u1", "Boolean", fallback),
            reading(null, "u1", "Boolean", fallback),
            reading("no-such-flag", "u1", "Boolean", fallback),
            reading(null, "", "Boolean", fallback),
        ],
    }

    left_out, inside, unknown, nobody = run("read_in_node.mjs", **given)["results"]

    assert (left_out["value"], left_out["reason"], left_out.get("errorCode")) == (fallback, "DEFAULT", None)
    assert left_out["flagMetadata"]["reason"] == "not_in_allocation"
    assert (inside["value"], inside["reason"], inside.get("errorCode")) == (fallback, "SPLIT", None)
    assert inside["variant"] in ("control", "treatment")
    assert (unknown["value"], unknown["errorCode"]) == (fallback, "FLAG_NOT_FOUND")
    assert (nobody["value"], nobody["errorCode"]) == (fallback, "TARGETING_KEY_MISSING")
    # As npm has it, the provider gives the same value and calls it an error.
    left_out, *_ = run("read_in_node.mjs", **given, plain=True)["results"]
    assert (left_out["value"], left_out["errorCode"]) == (fallback, "GENERAL")


def test_in_node_the_hook_sends_one_request_for_each_flag_and_unit(
    empty_house: House, run: Runner, running: Start
) -> None:
    one, two, outside = running(), running(), running(allocation=0)
    readings = [
        reading(flag, unit) for flag in (one, two, outside) for unit in ("ada", "bob") for _ in range(3)
    ]

    found = run(
        "read_in_node.mjs",
        baseUrl=address(empty_house),
        token=TOKEN,
        readings=readings,
        hooked=True,
        plain=True,
    )

    assert found["requests"].count(ASSIGN) == 4
    assert found["counts"] == {"sent": 4, "different": 0, "failed": 0}


def test_the_web_sdk_exposes_what_is_read_once_and_nothing_else(
    empty_house: House, run: Runner, running: Start, publishable: MakeToken
) -> None:
    targeted = 'attributes.plan == "pro"'
    read, unread, outside = (
        running(targeting=targeted),
        running(),
        running(targeting='attributes.plan == "x"'),
    )

    found = run(
        "read_in_web_sdk.mjs",
        origin=ORIGIN,
        baseUrl=address(empty_house),
        token=publishable(ORIGIN),
        userId="ada",
        attributes={"plan": "pro"},
        steps=[{"type": "String", "flag": flag, "fallback": "none"} for flag in (read, read, outside)],
    )

    first, again, left_out = found["results"]
    assert first == again
    assert (left_out["value"], left_out["reason"], left_out.get("errorCode")) == ("control", "DEFAULT", None)
    assert stored(empty_house, read) == {"ada": (first["value"], True)}
    assert stored(empty_house, unread) == stored(empty_house, outside) == {}
    assert found["requests"] == [BULK, ASSIGN]
    assert found["counts"] == {"sent": 1, "different": 0, "failed": 0}
    assert counted(empty_house.api, "neonblue_shown_variants_total", experiment=read, outcome="same") == 1
    with psycopg.connect(empty_house.dsn) as connection:
        attributes = connection.execute("SELECT attributes FROM users WHERE external_id = 'ada'").fetchone()
    assert attributes is not None
    assert attributes[0]["plan"] == "pro"


def test_a_variant_other_than_the_one_shown_is_counted_on_both_sides(
    empty_house: House, run: Runner, running: Start, publishable: MakeToken
) -> None:
    """A page that shows what it kept from before: its unit has had the other variant since."""
    flag, unit = running(), f"u-{uuid4()}"
    ask = {"context": {"targetingKey": unit}}
    shown = empty_house.api.post(f"{BULK}", json=ask).json()["flags"]
    variant = next(item["variant"] for item in shown if item["key"] == flag)
    other = {"control": "treatment", "treatment": "control"}[variant]
    with psycopg.connect(empty_house.dsn) as connection:
        number = connection.execute("SELECT id FROM experiments WHERE key = %s", (flag,)).fetchone()
        assert number is not None
        insert = """INSERT INTO assignments (experiment_id, version, assigned_at, unit_type, user_id, variant_key)
            VALUES (%s, 2, now(), 'user', %s, %s)"""

    def found(**more: Any) -> Json:
        return run(
            "read_in_web_sdk.mjs",
            origin=ORIGIN,
            baseUrl=address(empty_house),
            token=publishable(ORIGIN),
            userId=unit,
            **more,
        )

    with psycopg.connect(empty_house.dsn) as connection:
        connection.execute(insert, (number[0], unit, other))
    same = found(steps=[{"type": "String", "flag": flag, "fallback": "none"}])
    assert (same["results"][0]["variant"], same["counts"]["different"]) == (other, 0)

    late = found(kept={flag: variant}, steps=[{"type": "String", "flag": flag, "fallback": "none"}])
    assert (late["results"][0]["variant"], late["counts"]["different"]) == (variant, 1)
    assert f"{variant} was shown, the unit has {other}" in late["said"]
    counts = {
        outcome: counted(empty_house.api, "neonblue_shown_variants_total", experiment=flag, outcome=outcome)
        for outcome in ("same", "other")
    }
    assert counts == {"same": 1, "other": 1}


def test_an_exposure_that_is_refused_or_finds_nobody_is_told_and_does_no_harm(
    empty_house: House, run: Runner, running: Start, publishable: MakeToken
) -> None:
    flag = running()
    step = {"type": "String", "flag": flag, "fallback": "none"}
    given = {"origin": ORIGIN, "baseUrl": address(empty_house), "userId": f"u-{uuid4()}", "steps": [step]}

    given |= {"token": publishable(ORIGIN), "hookOptions": {"pauses": [1, 1]}}
    for fault, said, requests in (("refused", "unknown or revoked", 1), ("away", "could not be sent", 3)):
        found = run("read_in_web_sdk.mjs", **given, **{fault: True})
        assert found["results"][0]["reason"] == "SPLIT"
        assert found["counts"] == {"sent": 0, "different": 0, "failed": 1}
        assert found["requests"].count(ASSIGN) == requests
        assert said in found["said"]


@NEEDED
def test_a_page_in_a_browser_may_call_as_soon_as_its_token_is_made(
    empty_house: House,
    running: Start,
    publishable: MakeToken,
    site: str,
    tmp_path: Path,
) -> None:
    flag, unit = running(), f"u-{uuid4()}"
    asked = {"baseUrl": address(empty_house), "token": publishable(site), "userId": unit, "flag": flag}

    with chromium(tmp_path / "profile") as driver:
        driver.get(f"{site}/page.html#{quote(json.dumps(asked))}")
        told = until(lambda: driver.execute_script("return window.told"), "the page has read its flag", 60)

    assert told["counts"] == {"sent": 1, "different": 0, "failed": 0}
    assert stored(empty_house, flag) == {unit: (told["read"]["value"], True)}


@pytest.mark.timeout(600)
def test_units_of_both_sdks_are_in_the_results(
    empty_house: House, run: Runner, running: Start, publishable: MakeToken
) -> None:
    flag = running()
    server = [f"node-{n}" for n in range(10)]
    found = run(
        "read_in_node.mjs",
        baseUrl=address(empty_house),
        token=TOKEN,
        readings=[reading(flag, unit) for unit in server],
    )
    pages = [f"web-{n}" for n in range(10)]
    steps: list[Json] = []
    for unit in pages:
        steps += [{"context": {"targetingKey": unit}}, {"type": "String", "flag": flag, "fallback": "none"}]
    web = run(
        "read_in_web_sdk.mjs",
        origin=ORIGIN,
        baseUrl=address(empty_house),
        token=publishable(ORIGIN),
        userId="nobody-reads",
        steps=steps,
    )
    shown = dict(
        zip(server + pages, [item["variant"] for item in found["results"] + web["results"]], strict=True)
    )
    assert {unit: variant for unit, (variant, _) in stored(empty_house, flag).items()} == shown

    empty_house.carry()
    empty_house.build()

    results = empty_house.get(f"{flag}/results")
    units = {arm["variant_key"]: arm["exposed_units"] for arm in empty_house.get(f"{flag}/health")["items"]}
    assert results["units"] == 20
    assert units == {arm: list(shown.values()).count(arm) for arm in ("control", "treatment")}
