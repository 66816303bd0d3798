"""The dashboards' files are those that the code gives, and hang together."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.cog.runtime import register_dataquery_variant
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import REGISTRY

import api.metrics  # noqa: F401 - its metrics register themselves
from neonblue import monitoring
from neonblue.dashboards.__main__ import COMPOSE, FOLDER, texts
from neonblue.dashboards.alerts import read_alerts
from neonblue.dashboards.boards import BOARDS
from neonblue.dashboards.clickhouse_query import variant
from neonblue.dashboards.model import Board, Kind, Panel, Prometheus
from neonblue.dashboards.render import render, steps
from neonblue.settings import Settings
from tests.dashboards.expanding import SCRAPE_SECONDS, View, promql
from tests.unit.dashboards.metrics import exported, recorded

ROOT = Path(__file__).parents[3]
ALERTS = read_alerts(COMPOSE / "monitoring" / "rules")
FILES = sorted(FOLDER.glob("*.json"))
NOW = datetime(2026, 3, 2, tzinfo=UTC)
EVERY_PANEL = [
    pytest.param(panel, id=f"{board.uid}/{panel.title}") for board in BOARDS for panel in board.panels()
]


def loaded(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def expressions() -> Iterator[tuple[str, str]]:
    """Each PromQL expression, as Prometheus gets it, by the place where it is."""
    for board in BOARDS:
        for panel in board.panels():
            for query in panel.queries:
                if isinstance(query, Prometheus):
                    yield (
                        f"{board.uid}/{panel.title}",
                        promql(query.expr, View(NOW - timedelta(hours=1), NOW)),
                    )


def test_the_files_are_what_the_code_gives() -> None:
    written = {file.name: file.read_text(encoding="utf-8") for file in FILES}

    assert written == texts(), "run `make dashboards`"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_sdk_reads_back_what_it_wrote(file: Path) -> None:
    register_default_plugins()
    register_dataquery_variant(variant())

    read = json.loads(JSONEncoder().encode(Dashboard.from_json(loaded(file))))

    assert not list(lost(loaded(file), read))


def lost(written: Any, read: Any, place: str = "") -> Iterator[str]:
    """Where what was written is not what was read. What was read beside it is a default."""
    if isinstance(written, dict) and isinstance(read, dict):
        for name, value in written.items():
            yield from lost(value, read.get(name), f"{place}/{name}")
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for at, (one, other) in enumerate(zip(written, read, strict=True)):
            yield from lost(one, other, f"{place}/{at}")
    elif written != read:
        yield place


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_panels_have_ids_and_places_of_their_own(file: Path) -> None:
    panels = loaded(file)["panels"]
    ids = [panel["id"] for panel in panels]

    assert len(set(ids)) == len(ids)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
    for one, other in combinations(panels, 2):
        assert not overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )


@pytest.mark.parametrize(
    ("other", "over"),
    [
        ({"x": 4, "y": 0, "w": 4, "h": 4}, False),
        ({"x": 3, "y": 3, "w": 4, "h": 4}, True),
        ({"x": 1, "y": 1, "w": 1, "h": 1}, True),
    ],
)
def test_what_overlaps_is_seen(other: dict[str, int], over: bool) -> None:
    assert overlap({"x": 0, "y": 0, "w": 4, "h": 4}, other) is over


def test_boards_and_panels_can_be_told_apart() -> None:
    assert len({board.uid for board in BOARDS}) == len(BOARDS)
    for board in BOARDS:
        titles = [panel.title for panel in board.panels()]
        assert len(set(titles)) == len(titles), board.uid


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_source_is_a_provisioned_one(file: Path) -> None:
    provisioned = yaml.safe_load(
        (COMPOSE / "grafana" / "provisioning" / "datasources" / "neonblue.yaml").read_text()
    )
    known = {(source["type"], source["uid"]) for source in provisioned["datasources"]}
    text = file.read_text(encoding="utf-8")

    used = {
        (found["type"], found["uid"])
        for found in map(json.loads, re.findall(r'"datasource": (\{[^}]*\})', text))
    }

    assert used
    assert used <= known


def test_the_sources_are_those_of_the_stack() -> None:
    provisioned = yaml.safe_load(
        (COMPOSE / "grafana" / "provisioning" / "datasources" / "neonblue.yaml").read_text()
    )
    clickhouse = next(source for source in provisioned["datasources"] if "clickhouse" in source["uid"])
    settings = Settings().clickhouse

    assert clickhouse["jsonData"]["username"] == settings.readonly_user
    assert clickhouse["jsonData"]["port"] == settings.port
    assert clickhouse["jsonData"]["defaultDatabase"] == settings.database
    prometheus = yaml.safe_load((COMPOSE / "monitoring" / "prometheus.yml").read_text())
    asked = next(source for source in provisioned["datasources"] if source["type"] == "prometheus")
    assert asked["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    assert asked["jsonData"]["timeInterval"] == f"{SCRAPE_SECONDS}s"
    assert asked["basicAuthUser"] == Settings().monitoring.credentials[0]


@pytest.mark.parametrize("panel", EVERY_PANEL)
def test_a_panel_says_what_is_seen(panel: Panel) -> None:
    known = {value for value in vars(units).values() if isinstance(value, str)}

    assert panel.says.endswith(".")
    assert len(panel.says) > 20
    assert all(unit in known or unit.startswith("suffix:") for unit in used_units(panel))
    if panel.kind is Kind.NUMBER:
        assert len(steps(panel, ALERTS)) > 1 or panel.columns, (
            "a number alone tells nobody whether it is well"
        )


def used_units(panel: Panel) -> set[str]:
    return {panel.unit, *(column.unit for column in panel.columns)}


def test_every_alert_has_a_panel_that_shows_it() -> None:
    shown = {name for board in BOARDS for panel in board.panels() for name in panel.alerts}

    assert shown == set(ALERTS)


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_every_runbook_is_there(alert: str) -> None:
    page, _, anchor = ALERTS[alert].runbook.partition("#")

    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)

    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


def test_panels_link_to_the_runbooks_where_these_can_be_read() -> None:
    board = Board("x", "X", "X.", "1h", BOARDS[0].rows)

    links = [
        link.url
        for panel in render(board, ALERTS, "https://docs.example.com/runbooks/").panels or ()
        for link in getattr(panel, "links", None) or ()
    ]

    assert "https://docs.example.com/runbooks/stream.md#canarylate" in links


@pytest.mark.parametrize(
    ("alert", "limit", "below"),
    [
        ("CanaryLate", 60.0, False),
        ("ConnectorNotRunning", 0.0, True),
        ("SlotGrows", None, False),
        ("ApiSlow", 0.5, False),
        ("DiskLow", None, False),
        ("ScheduleLate", None, False),
    ],
)
def test_the_limit_is_that_of_the_rule(alert: str, limit: float | None, below: bool) -> None:
    assert ALERTS[alert].limit == limit
    assert ALERTS[alert].fires_below is below


def test_every_metric_is_one_that_is_told() -> None:
    known = exported(REGISTRY, monitoring) | recorded(COMPOSE / "monitoring" / "rules")
    named = {
        (place, name)
        for place, expression in expressions()
        for name in re.findall(r"\bneonblue[:_][\w:]+", expression)
    }

    assert len(named) > 60
    assert not {(place, name) for place, name in named if name not in known}


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"
)
def test_prometheus_own_tool_reads_every_expression(tmp_path: Path) -> None:
    asked = [
        {"record": f"asked:{at}", "expr": expression} for at, (_, expression) in enumerate(expressions())
    ]
    file = tmp_path / "asked.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": asked}]}))

    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert f"{len(asked)} rules found" in done.stdout
