"""What Grafana's dashboards ask ClickHouse, on a history that is built: the same numbers as everywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from neonblue.dashboards.boards import BOARDS
from neonblue.dashboards.boards.experiment import EXPERIMENT
from neonblue.dashboards.model import ClickHouse, Kind, Panel
from neonblue.settings import Settings
from tests.dashboards.asking import Sources
from tests.dashboards.expanding import View
from tests.integration.results import history
from tests.integration.results.conftest import House

SEEN = View(
    history.START - timedelta(days=1),
    history.START + timedelta(days=history.DAYS + 2),
    chosen={"experiment": history.KEY, "metric": "bought"},
)
PANELS = {panel.title: panel for board in BOARDS for panel in board.panels()}
ASKED = [
    pytest.param(panel, id=panel.title)
    for panel in PANELS.values()
    if isinstance(panel.queries[0], ClickHouse)
]
# No run has published anything here, and nothing was unreadable.
EMPTY = {"Decision", "Published results", "Sample ratio by stage", "Lift of $metric as it was published"}
EMPTY |= {"Newest dead letters"}


@pytest.fixture(scope="module")
def sources(house: House) -> Iterator[Sources]:
    """As the user that reads only."""
    house.refresh_live()
    reader = {"readonly_user": "reader", "readonly_password": SecretStr("another-password")}
    clickhouse = house.settings.clickhouse.model_copy(update=reader)
    with Sources(Settings().model_copy(update={"clickhouse": clickhouse})) as opened:
        yield opened


def rows(sources: Sources, title: str) -> list[dict[str, Any]]:
    return list(sources.answers(PANELS[title], SEEN)[0].rows)


def lines(sources: Sources, title: str) -> dict[str, list[float]]:
    return {line.name: list(line.values) for line in sources.answers(PANELS[title], SEEN)[0].lines}


@pytest.mark.parametrize("panel", ASKED)
def test_every_query_is_taken_and_has_the_rows_that_there_are(sources: Sources, panel: Panel) -> None:
    answer = sources.answers(panel, SEEN)[0]

    assert answer.empty is (panel.title in EMPTY)
    if answer.rows:
        assert {column.name for column in panel.columns} == set(answer.rows[0])


def test_experiments_and_metrics_can_be_chosen(sources: Sources) -> None:
    experiments, metrics = (
        [next(iter(row.values())) for row in sources.select(variable.query, Kind.TABLE, SEEN).rows]
        for variable in EXPERIMENT.variables
    )

    assert set(experiments) == {history.KEY, "empty"}
    assert metrics == ["bought", "revenue"]


def test_units_are_counted_as_everywhere_else(sources: Sources) -> None:
    units = {row["variant_key"]: int(row["analysed_units"]) for row in rows(sources, "Variants now")}

    assert units == {arm: len(history.units(arm)) for arm in ("control", "treatment")}
    assert {arm: sum(entered) for arm, entered in lines(sources, "First exposures").items()} == units
    assert {arm: share[-1] for arm, share in lines(sources, "Share of units").items()} == dict.fromkeys(
        units, 0.5
    )
    assert int(rows(sources, "Who is left out")[0]["analysed_units"]) == sum(units.values())


def test_a_metrics_mean_is_that_of_the_results(house: House, sources: Sources) -> None:
    """As many units come in each day: the mean over the days' means is that of all units."""
    means = lines(sources, "$metric by day of the first exposure")
    items = house.get(f"{history.KEY}/results")["items"]
    found = next(item for item in items if item["metric_key"] == "bought")

    assert {len(days) for days in means.values()} == {history.DAYS}
    over_days = {arm: sum(days) / len(days) for arm, days in means.items()}
    assert over_days == pytest.approx({"control": 0.3, "treatment": 0.6})
    assert found["mean_control"] == pytest.approx(over_days["control"])
    assert found["mean_variant"] == pytest.approx(over_days["treatment"])
