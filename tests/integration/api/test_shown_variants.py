"""Who says which variant a unit was shown is told the one it has, and where they differ that is counted."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from neonblue.bucketing import Purpose, bucket
from tests.integration.api.conftest import Server
from tests.integration.api.experiments import Written, write
from tests.integration.api.prometheus import counted

NAME = "neonblue_shown_variants_total"


def expose(api: httpx.Client, experiment: Written, unit: str, shown: str) -> httpx.Response:
    body = {"experiment": experiment.key, "user_id": unit, "expose": True, "shown_variant": shown}
    return api.post("/v1/assignments", json=body)


def test_the_variant_that_was_shown_is_compared(api: httpx.Client, postgres: Server) -> None:
    experiment, unit = write(postgres), f"u-{uuid4()}"
    right = "ab"[bucket(experiment.columns["salt"], Purpose.VARIANT, unit) >> 63]
    wrong = "ab".replace(right, "")

    answers = [expose(api, experiment, unit, shown).json()["variant_key"] for shown in (right, wrong, "gone")]

    assert answers == [right] * 3
    found = {
        outcome: counted(api, NAME, experiment=experiment.key, outcome=outcome)
        for outcome in ("same", "other")
    }
    assert found == {"same": 1, "other": 2}


@pytest.mark.parametrize(
    ("columns", "status", "outcome"),
    [({"allocation": 0}, 200, "none"), ({"status": "paused"}, 200, "not_running")],
)
def test_one_that_no_unit_should_have_been_shown_is_counted(
    api: httpx.Client, postgres: Server, columns: dict[str, Any], status: int, outcome: str
) -> None:
    experiment = write(postgres, **columns)
    assert expose(api, experiment, "u", "a").status_code == status
    assert counted(api, NAME, experiment=experiment.key, outcome=outcome) == 1


def test_an_experiment_that_does_not_exist_makes_no_series(api: httpx.Client) -> None:
    body = {"experiment": f"none-{uuid4()}", "user_id": "u", "shown_variant": "a"}
    assert api.post("/v1/assignments", json=body).status_code == 404
    assert counted(api, NAME, experiment=body["experiment"]) == 0


def test_it_belongs_to_one_experiment(api: httpx.Client) -> None:
    answer = api.post("/v1/assignments", json=[{"user_id": "u", "shown_variant": "a"}])
    assert answer.json()["items"][0]["code"] == "experiment_required"
