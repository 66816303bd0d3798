"""A fresh stack as a data team first meets it: 'Materialize all' on Dagster's page, and dbt by hand beside it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from neonblue.settings import Settings
from neonblue.stack.services import dbt_profile
from orchestration.project import dbt_executable, project_path
from tests.integration.orchestration.browser import (
    NEEDED,
    button,
    button_beginning,
    chromium,
    sign_in,
    until,
)
from tests.integration.warehouse import connect, rows

pytestmark = [
    NEEDED,
    pytest.mark.timeout(1500),
]
_BACKFILLS = """
{ partitionBackfillsOrError { ... on PartitionBackfills { results { status error { message } } } } }
"""
_RUNS = "{ runsOrError(limit: 50) { ... on Runs { results { runId status jobName } } } }"
_OLD_DAY = "2016-01-01"


def command(settings: Settings, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "neonblue.cli.main", *arguments]


@pytest.fixture
def stack(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The whole stack, ready, with nothing in it."""
    monkeypatch.setenv("NEONBLUE_DATA_DIR", str(settings.data_dir))
    said = settings.data_dir / "said"
    with said.open("wb") as output:
        up = subprocess.Popen(command(settings, "up"), stdout=output, stderr=output)
    try:
        until(lambda: "ready after" in said.read_text(), "everything is ready", 300, said.read_text)
        yield settings
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(90)


def test_materialize_all_succeeds_and_dbt_runs_beside_it(stack: Settings, tmp_path: Path) -> None:
    _import_old_data(stack, tmp_path)

    with chromium(tmp_path / "chromium") as browser:
        browser.get(f"{stack.dagster.address}/asset-groups")
        sign_in(browser, stack.api.token.get_secret_value())
        assert browser.current_url == f"{stack.dagster.address}/asset-groups"
        until(lambda: button_beginning(browser, "Materialize all"), "all can be materialized").click()
        until(lambda: button(browser, "Latest"), "the open day can be chosen").click()
        browser.save_screenshot(str(tmp_path / "dialog.png"))
        until(lambda: button(browser, "Launch backfill", "Launch 1 run"), "it can be launched").click()
        until(lambda: _ask(stack, _RUNS)["runsOrError"]["results"], "runs have been launched", 240)

    tested = subprocess.run(
        command(stack, "dbt", "build", "--select", "stg_experiments"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr

    until(lambda: _backfill(stack)["status"] != "REQUESTED", "it has ended", 700)
    assert _backfill(stack) == {"status": "COMPLETED_SUCCESS", "error": None}
    runs = _ask(stack, _RUNS)["runsOrError"]["results"]
    assert {run["status"] for run in runs if run["jobName"] == "__ASSET_JOB"} == {"SUCCESS"}
    listed = subprocess.run(
        command(stack, "dagster", "run", "list"), capture_output=True, text=True, check=False
    )
    told = set(re.findall(r"^Run: (\S+)$", listed.stdout, re.MULTILINE))
    assert told == {run["runId"] for run in runs}, listed.stdout + listed.stderr
    with connect(stack) as client:
        built = rows(client, "SELECT toString(exposure_date), count() FROM first_exposures GROUP BY 1")
    assert list(built) == [(_OLD_DAY, 4)]

    for arguments in (("run",), ("test", "--exclude-resource-type", "unit_test")):
        by_hand = _plain_dbt(stack, tmp_path, *arguments)
        assert by_hand.returncode == 0, by_hand.stdout[-3000:] + by_hand.stderr


def _import_old_data(stack: Settings, folder: Path) -> None:
    file = folder / "old.csv"
    file.write_text("user_id,variant,spend\n1,a,2\n2,b,3\n3,a,1\n4,b,0\n")
    given = ("--key", "old", "--metric", "spend", "--start", _OLD_DAY)
    done = subprocess.run(
        command(stack, "import", str(file), *given), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _plain_dbt(stack: Settings, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """dbt in the project's folder, as one types it there. Nothing of the environment says where the stack is."""
    profile = stack.data_dir / "dbt" / dbt_profile.PROFILE
    link = project_path() / dbt_profile.PROFILE
    # Where another stack of this checkout runs, the link stays with that one.
    elsewhere = not link.is_symlink() or link.readlink() != profile
    named = ("--profiles-dir", str(profile.parent)) if elsewhere else ()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("NEONBLUE_", "DBT_"))}
    written = {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs")}
    return subprocess.run(
        [dbt_executable(), *arguments, *named],
        cwd=project_path(),
        env=own | written,
        capture_output=True,
        text=True,
        check=False,
    )


def _backfill(stack: Settings) -> dict[str, Any]:
    found: list[dict[str, Any]] = _ask(stack, _BACKFILLS)["partitionBackfillsOrError"]["results"]
    assert len(found) == 1
    return found[0]


def _ask(stack: Settings, query: str) -> dict[str, Any]:
    answer = httpx.post(
        f"{stack.dagster.address}/graphql",
        json={"query": query},
        headers=stack.dagster.authorization,
        timeout=60,
        trust_env=False,
    ).json()
    data: dict[str, Any] = answer["data"]
    return data
