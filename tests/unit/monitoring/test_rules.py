"""Prometheus' and Alertmanager's own programs on the files that they are given, and what the alerts promise."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from neonblue.cli.main import COMMANDS
from neonblue.monitoring.connect import ANSWER_SECONDS, ConnectSource
from neonblue.monitoring.postgres import PostgresSource
from neonblue.stack.services import monitoring_files
from tests.unit.monitoring.rules import FOLDER, alerts, metrics, rules

RUNBOOKS = Path(__file__).parents[3] / "docs" / "runbooks"
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
RULES = sorted((FOLDER / "rules").glob("*.yml"))
FOREIGN = "https://neonblue.example.com/experiments"
ADDRESSES = {"api": "127.0.0.1:1", "exporter": "127.0.0.1:2", "alertmanager": "127.0.0.1:3"}


def run(program: str, package: str, *arguments: object) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: apt-get install {package}")
    done = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_its_configuration_and_the_rules() -> None:
    run("promtool", "prometheus", "check", "config", FOLDER / "prometheus.yml")
    run("promtool", "prometheus", "check", "rules", *RULES)


def test_the_alerts_fire_when_they_must_and_not_before() -> None:
    run("promtool", "prometheus", "test", "rules", *TESTS)


def test_every_alert_is_tried_at_rest_and_firing() -> None:
    tried: dict[str, list[int]] = {}
    for file in TESTS:
        for group in yaml.safe_load(file.read_text())["tests"]:
            for one in group["alert_rule_test"]:
                tried.setdefault(one["alertname"], []).append(len(one["exp_alerts"]))

    assert {name: [counts[0], min(counts[1], 1)] for name, counts in tried.items()} == {
        name: [0, 1] for name in alerts()
    }


def test_alertmanager_takes_its_configuration() -> None:
    run("amtool", "prometheus-alertmanager", "check-config", FOLDER / "alertmanager.yml")


def test_what_is_inhibited_are_alerts() -> None:
    text = (FOLDER / "alertmanager.yml").read_text()
    named = {name for names in re.findall(r'alertname=~?"([^"]+)"', text) for name in names.split("|")}

    assert named
    assert named <= set(alerts())


def test_a_stack_s_own_files_are_taken_too(tmp_path: Path) -> None:
    shutil.copytree(FOLDER / "rules", tmp_path / "rules")
    prometheus, alertmanager = tmp_path / "prometheus.yml", tmp_path / "alertmanager.yml"
    text = (FOLDER / "prometheus.yml").read_text()
    prometheus.write_text(monitoring_files.prometheus(text, ADDRESSES, "rules/*.yml", "password"))
    (tmp_path / "password").write_text("secret")
    (tmp_path / "token").write_text("secret")
    text = (FOLDER / "alertmanager.yml").read_text()
    alertmanager.write_text(
        monitoring_files.alertmanager(text, "http://127.0.0.1:2/alerts", str(tmp_path / "token"), 30)
    )

    run("promtool", "prometheus", "check", "config", prometheus)
    run("amtool", "prometheus-alertmanager", "check-config", alertmanager)
    jobs = yaml.safe_load(prometheus.read_text())["scrape_configs"]
    assert [job["job_name"] for job in jobs if "basic_auth" in job] == ["alertmanager"]
    assert {job["job_name"]: job["static_configs"][0]["targets"][0] for job in jobs} == ADDRESSES
    assert yaml.safe_load(alertmanager.read_text())["route"]["repeat_interval"] == "30m"


def test_an_api_elsewhere_is_asked_by_its_scheme_and_path(tmp_path: Path) -> None:
    text = (FOLDER / "prometheus.yml").read_text()
    file = tmp_path / "prometheus.yml"

    file.write_text(monitoring_files.prometheus(text, {"api": FOREIGN}, "rules/*.yml", "password"))

    (job,) = yaml.safe_load(file.read_text())["scrape_configs"]
    assert (job["scheme"], job["metrics_path"]) == ("https", "/experiments/metrics")
    assert job["static_configs"] == [{"targets": ["neonblue.example.com"]}]
    run("promtool", "prometheus", "check", "config", file)


def test_without_alertmanager_prometheus_tells_nobody() -> None:
    text = (FOLDER / "prometheus.yml").read_text()

    made = yaml.safe_load(
        monitoring_files.prometheus(text, {"api": "127.0.0.1:1"}, "rules/*.yml", "password")
    )

    assert made["alerting"] == {"alertmanagers": []}
    assert [job["job_name"] for job in made["scrape_configs"]] == ["api"]


@pytest.mark.parametrize("name", sorted(alerts()))
def test_an_alert_says_how_bad_it_is_what_people_see_and_what_to_do(name: str) -> None:
    alert = alerts()[name]

    assert alert["labels"]["severity"] in ("warning", "critical")
    assert len(alert["annotations"]["summary"]) > 20
    page, _, anchor = alert["annotations"]["runbook_url"].removeprefix("docs/runbooks/").partition("#")
    text = (RUNBOOKS / page).read_text()
    headings = [heading.lower() for heading in re.findall(r"^## (\w+)$", text, re.MULTILINE)]
    assert anchor == name.lower()
    assert anchor in headings
    section = re.split(rf"^## {name}$", text, flags=re.MULTILINE)[1].split("\n## ")[0]
    for part in ("Cause:", "See it:", "Repair:"):
        assert part in section, part
    named = re.findall(r"`neonblue ([a-z-]+)", section)
    assert set(named) <= set(COMMANDS)


def test_no_page_has_a_heading_of_an_alert_that_is_gone() -> None:
    headings = {
        heading
        for page in RUNBOOKS.glob("*.md")
        if page.name != "README.md"
        for heading in re.findall(r"^## (\w+)$", page.read_text(), re.MULTILINE)
    }

    assert headings == set(alerts())


def test_the_names_of_metrics_are_found_in_expressions() -> None:
    found = metrics(
        'sum by (route) (rate(a_total{code=~"x|y"}[5m])) > 2 * max(b:c) and on (d) time() - e > 0'
    )

    assert found == {"a_total", "b:c", "e"}


def test_a_recorded_series_is_not_recorded_twice() -> None:
    names = [rule["record"] for rule in rules() if "record" in rule]

    assert len(names) == len(set(names)) > 0


@pytest.mark.parametrize(
    ("alert", "look"),
    [
        ("ConnectorNotRunning", ConnectSource.seconds + ANSWER_SECONDS),
        ("StandbyMissing", PostgresSource.seconds),
    ],
)
def test_a_fault_that_must_be_told_within_a_minute_is_told_in_three_quarters_of_it(
    alert: str, look: float
) -> None:
    """The longest waits of all who pass it on, added up: what is left over is for a machine that is busy."""
    prometheus = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["global"]
    alertmanager = yaml.safe_load((FOLDER / "alertmanager.yml").read_text())["route"]
    scrape, evaluation = (seconds(prometheus[f"{name}_interval"]) for name in ("scrape", "evaluation"))
    held = math.ceil(seconds(alerts()[alert]["for"]) / evaluation) * evaluation

    assert look + scrape + evaluation + held + seconds(alertmanager["group_wait"]) <= 45


def seconds(told: str) -> float:
    """As Prometheus writes durations: `1m30s`."""
    sizes = {"h": 3600, "m": 60, "s": 1}
    return sum(int(size) * sizes[unit] for size, unit in re.findall(r"(\d+)([hms])", told))
