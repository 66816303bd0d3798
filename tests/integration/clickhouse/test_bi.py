"""The code of docs/bi.md, as it stands there, as the read-only user."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from neonblue.settings import Settings
from tests.integration.warehouse import connect, environment, running

PAGE = Path(__file__).resolve().parents[3] / "docs" / "bi.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with running(tmp_path_factory.mktemp("bi")) as settings, connect(settings) as client:
        _fill(client)
        yield settings


def _fill(client: Client) -> None:
    client.command(
        "CREATE TABLE experiment_summary ENGINE = Memory AS "
        "SELECT 'checkout' AS experiment_key, 'control' AS variant_key, 7 AS units, 3 AS conversions"
    )
    client.command(
        "CREATE TABLE daily_metrics ENGINE = Memory AS SELECT toDate('2026-01-02') AS date, 5 AS events"
    )


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (0, "{'variant_key': 'control', 'units': 7, 'conversions': 3}"),
        (1, "(datetime.date(2026, 1, 2), 5)"),
    ],
)
def test_the_code_of_the_page_runs_as_it_stands(server: Settings, number: int, printed: str) -> None:
    assert len(SNIPPETS) == 2
    variables = environment(server.data_dir, server.clickhouse.port)

    run = subprocess.run(
        [sys.executable, "-c", SNIPPETS[number]],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == printed


def test_plain_http_takes_user_and_password_as_curl_sends_them(server: Settings) -> None:
    answer = httpx.get(
        server.clickhouse.address,
        params={"query": "SELECT 1"},
        auth=("reader", "another-password"),
        trust_env=False,
    )

    assert answer.text == "1\n"


def test_the_read_only_user_sets_how_a_query_runs_but_not_its_rights_and_writes_nothing(
    server: Settings,
) -> None:
    def ask(query: str, **settings: str) -> httpx.Response:
        return httpx.post(
            server.clickhouse.address,
            params=settings,
            content=query,
            auth=("reader", "another-password"),
            trust_env=False,
        )

    assert ask("SELECT 1", max_threads="1").text == "1\n"
    assert "Cannot modify 'readonly' setting" in ask("SELECT 1", readonly="0").text
    assert ask("INSERT INTO daily_metrics VALUES ('2026-01-03', 1)").is_client_error
    assert ask("SELECT currentUser()").text == "default\n"
