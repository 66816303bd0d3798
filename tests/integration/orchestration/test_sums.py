"""Every experiment's sums are read in as many queries as one's, and are those that it has alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace

from neonblue.results.sums import read_rows
from neonblue.results.warehouse import Warehouse
from neonblue.simulation.history.events import History
from neonblue.simulation.history.load import insert_experiments, load
from orchestration.defs.significance.repository import read_configurations, read_experiments
from tests.integration.dbt_project.raw import small_plan
from tests.integration.orchestration.conftest import Analysis

HISTORY = History(small_plan(5))
NOW = datetime.now(UTC)
KEYS = [design.key for design in HISTORY.plan.designs()]


class Counting:
    """A client that counts what is asked through it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.queries = 0

    def __getattr__(self, name: str) -> Any:
        self.queries += name.startswith("query")
        return getattr(self.client, name)


@pytest.fixture(scope="module")
def client(server: Analysis) -> Client:
    """A history of four experiments, with a metric of every kind; a fifth has no units, a sixth has not started."""
    server.empty()
    load(server.client, HISTORY)
    whole = HISTORY.plan.designs()[0].versions()[-1]
    for number, status in ((98, "running"), (99, "draft")):
        other = replace(whole, experiment_id=number, key=f"empty-{number}", status=status)
        insert_experiments(server.client, [other])
    server.build("+metric_moments", "+exposure_health")
    return server.client


def test_the_sums_of_all_are_those_of_each(client: Client) -> None:
    warehouse = Warehouse.of(client, live=False)
    all_versions = {
        versions[max(versions)].key: versions for versions in read_configurations(client).values()
    }

    found = {experiment.newest.key: experiment.rows for experiment in read_experiments(client)}

    assert sorted(found) == sorted([*KEYS, "empty-98"])
    assert found == {
        key: read_rows(warehouse, [versions], NOW)[versions[max(versions)].experiment_id]
        for key, versions in all_versions.items()
        if key in found
    }
    assert all(found[key].moments and found[key].quantiles and found[key].several_arms for key in KEYS)
    assert {row.version for key in KEYS for row in found[key].units} == {1, 2}


def test_the_sums_of_one_are_its_own(client: Client) -> None:
    everyone = {experiment.newest.key: experiment for experiment in read_experiments(client)}

    (alone,) = read_experiments(client, KEYS[1])
    assert (alone.configurations, alone.rows) == (everyone[KEYS[1]].configurations, everyone[KEYS[1]].rows)
    assert read_experiments(client, "empty-99") == []
    assert read_experiments(client, "nothing") == []


def test_all_take_no_more_queries_than_one_and_who_has_no_sums_one_for_all(client: Client) -> None:
    one, all_ = Counting(client), Counting(client)

    assert len(read_experiments(one, KEYS[0])) == 1
    assert len(read_experiments(all_)) == 5

    # Of an experiment without sums, as the empty one, it is asked whether any unit has entered.
    assert all_.queries == one.queries + 1
