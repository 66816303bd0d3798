"""OpenFeature's SDKs for Node and the web on the whole stack: the units that read a flag are in the results."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from neonblue.clickhouse.client import connect
from neonblue.settings import Settings
from tests.end_to_end.conftest import CommandLine
from tests.integration.openfeature.conftest import Runner, javascript, run
from tests.waiting import until

__all__ = ["javascript", "run"]

pytestmark = pytest.mark.timeout(900)
KEY, ORIGIN = "read-by-both-sdks", "https://shop.example.com"
UNITS = 10


def exposed(settings: Settings) -> int:
    """Units whose exposure has arrived in ClickHouse."""
    query = """SELECT uniqExact(user_id) FROM events_processed WHERE event_type = 'exposure'
        AND experiment_id = (SELECT any(experiment_id) FROM experiments WHERE key = {key:String})"""
    with connect(settings.clickhouse) as client:
        return int(client.query(query, parameters={"key": KEY}).result_rows[0][0])


def test_units_of_both_sdks_are_in_the_results(
    settings: Settings, api: httpx.Client, neonblue: CommandLine, run: Runner
) -> None:
    body: dict[str, Any] = {
        "key": KEY,
        "variants": [{"key": "control", "is_control": True}, {"key": "treatment"}],
        "metrics": [{"key": "bought", "type": "proportion", "event_type": "purchase", "aggregation": "any"}],
    }
    api.post("/v1/experiments", json=body).raise_for_status()
    api.post(f"/v1/experiments/{KEY}/start").raise_for_status()
    token = {"name": "page", "scopes": ["assign"], "origins": [ORIGIN]}
    page = api.post("/v1/tokens", json=token).raise_for_status().json()["secret"]
    flag = {"type": "String", "flag": KEY, "fallback": "none"}

    run(
        "read_in_node.mjs",
        baseUrl=settings.api.address,
        token=settings.api.token.get_secret_value(),
        readings=[flag | {"context": {"targetingKey": f"node-{n}"}} for n in range(UNITS)],
    )
    found = run(
        "read_in_web_sdk.mjs",
        origin=ORIGIN,
        baseUrl=settings.api.address,
        token=page,
        userId="nobody-reads",
        steps=[step for n in range(UNITS) for step in ({"context": {"targetingKey": f"web-{n}"}}, flag)],
    )

    assert found["counts"] == {"sent": UNITS, "different": 0, "failed": 0}
    until(lambda: exposed(settings) == 2 * UNITS, "the exposures are stored")
    neonblue.run("build")
    until(
        lambda: api.get(f"/v1/experiments/{KEY}/results").json().get("units") == 2 * UNITS,
        "every unit that read the flag is in the results",
    )
