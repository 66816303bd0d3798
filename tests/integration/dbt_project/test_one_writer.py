"""Plain dbt beside a build: it is refused, so that the two don't replace each other's days."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from orchestration.locking import HELD, building
from orchestration.project import dbt_environment, dbt_executable
from tests.integration.api.fleet import wait_until
from tests.integration.dbt_project.conftest import Warehouse
from tests.integration.warehouse import connect, rows

_QUERY = """/* {{"app": "dbt", "dbt_version": "1.11.0", "node_id": "model.neonblue.first_exposures"}} */
SELECT sleepEachRow(0.1) FROM numbers({rows}) SETTINGS max_block_size = 1"""
_AT_WORK = "SELECT query_id FROM system.processes WHERE query LIKE '/* {%sleepEachRow%'"


@contextmanager
def build_at_work(warehouse: Warehouse) -> Iterator[None]:
    """Queries as dbt sends them while it builds a model: one or two at any moment."""
    ended = Event()

    def ask(count: int) -> None:
        with connect(warehouse.settings) as client:
            while not ended.is_set():
                client.command(_QUERY.format(rows=count))

    # Of unlike lengths, so that they don't end at one moment.
    threads = [Thread(target=ask, args=(count,)) for count in (30, 23)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(rows(warehouse.client, _AT_WORK)) == len(threads), "they run")
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(30)


def plain_dbt(warehouse: Warehouse, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [dbt_executable(), *arguments],
        env={**os.environ, **dbt_environment(warehouse.settings)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_plain_dbt_writes_nothing_while_a_build_is_at_work(warehouse: Warehouse) -> None:
    with build_at_work(warehouse):
        refused = plain_dbt(warehouse, "run", "--select", "stg_experiments")
        with building(warehouse.settings, print):
            held = plain_dbt(warehouse, "run", "--select", "stg_experiments")

    said = " ".join(refused.stdout.split())
    assert refused.returncode != 0
    assert "another build is at work in this ClickHouse, at first_exposures" in said
    assert "use `neonblue dbt run`, which waits for it" in said
    assert held.returncode == 0, held.stdout
    assert HELD not in os.environ
    assert plain_dbt(warehouse, "run", "--select", "stg_experiments").returncode == 0
