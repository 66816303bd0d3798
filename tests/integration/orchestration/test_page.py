"""Dagster's page, as a person sees it: lineage from the topic to the report, a build by hand, a failed check."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from selenium import webdriver

from tests.integration.orchestration.browser import (
    NEEDED,
    button,
    chromium,
    dagster_page,
    text_of,
    until,
)
from tests.integration.orchestration.conftest import Analysis
from tests.integration.orchestration.scenario import experiment, metric

pytestmark = [
    NEEDED,
    pytest.mark.timeout(900),
]
ON_THE_WAY = (
    "experiments_events",
    "events_processed",
    "stg_events",
    "first_exposures",
    "unit_metric_values",
    "metric_moments",
    "significance_tests",
    "experiment_decision",
    "experiment_report",
)
GRAPH, ONE_ASSET = (4200, 2200), (1800, 1100)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture
def page(analysis: Analysis, browser: webdriver.Chrome, tmp_path: Path) -> Iterator[str]:
    analysis.send("experiment", experiment(metric()))
    with dagster_page(tmp_path / "dagster") as address:
        yield address
        browser.save_screenshot(str(tmp_path / "last.png"))


def test_the_page_shows_lineage_a_build_by_hand_and_a_failed_check(
    page: str, browser: webdriver.Chrome, analysis: Analysis, tmp_path: Path
) -> None:
    def picture(name: str) -> None:
        browser.save_screenshot(str(tmp_path / f"{name}.png"))

    # The lineage, link by link: of a larger graph the page draws only what is in view.
    browser.set_window_size(*GRAPH)
    for links in (ON_THE_WAY[:3], *pairwise(ON_THE_WAY[2:])):
        name, depth = links[-1], len(links) - 1
        browser.get(f"{page}/assets/{name}?view=lineage&lineageScope=upstream&lineageDepth={depth}")
        until(
            lambda seen=links: not _missing(browser, *seen),
            f"{links} are drawn",
            told=lambda: text_of(browser),
        )
        picture(f"lineage-{name}")
    browser.set_window_size(*ONE_ASSET)

    # A model, built by hand for the newest day.
    browser.get(f"{page}/assets/stg_experiments")
    until(lambda: button(browser, "Materialize…"), "there is a button that materializes").click()
    until(lambda: button(browser, "Latest"), "the newest day can be chosen").click()
    launch = until(lambda: button(browser, "Launch 1 run"), "there is a button that launches")
    picture("materialize")
    launch.click()
    until(lambda: _materialized(analysis), "the model is built", 300)
    browser.get(f"{page}/assets/stg_experiments?view=events")
    until(lambda: "materialized in run" in text_of(browser), "the page says so")
    picture("materialized")

    # A check that fails is shown as failed.
    _break_the_sample_ratio(analysis)
    browser.get(f"{page}/assets/significance_tests?view=checks&checkDetail=sample_ratio")
    until(lambda: "sample_ratio" in text_of(browser), "the check is listed")
    picture("checks")
    until(lambda: button(browser, "Execute all", "Execute"), "there is a button that executes").click()
    until(lambda: "Failed" in text_of(browser), "the check is shown as failed", 300)
    picture("failed")
    assert "checkout (p = 1e-09)" in text_of(browser)


def _missing(browser: webdriver.Chrome, *names: str) -> list[str]:
    shown = text_of(browser)
    return [name for name in names if not any(form in shown for form in _forms(name))]


def _forms(name: str) -> Iterator[str]:
    """How the graph may write a name: in a small node the middle of a long one gives way."""
    yield name
    for tail in range(5, len(name) - 5):
        for head in range(5, len(name) - tail):
            yield f"{name[:head]}…{name[-tail:]}"


def _materialized(analysis: Analysis) -> bool:
    views = analysis.client.query("SELECT name FROM system.tables WHERE database = currentDatabase()")
    return ("stg_experiments",) in views.result_rows


def _break_the_sample_ratio(analysis: Analysis) -> None:
    columns = {
        "run_id": "r",
        "computed_at": datetime.now(UTC),
        "experiment_id": 1,
        "experiment_key": "checkout",
        "sample_ratio_p": 1e-9,
        "sample_ratio_status": "mismatch",
    }
    analysis.client.insert("experiment_results", [list(columns.values())], column_names=list(columns))
