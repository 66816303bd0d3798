"""``neonblue analyze --winsorize``: what was capped is shown, for the whole and for segments alike."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from neonblue.cli.analyze import analyze as analyze_command

app = typer.Typer()
app.command()(analyze_command)


def run(path: Path, *options: str) -> Result:
    return CliRunner().invoke(app, [str(path), *options])


@pytest.fixture
def whales(tmp_path: Path) -> Path:
    """Two units of 50,000 among those of 0 to 9, which differ by 1; both are in control and from DE."""
    rows = ["user_id,variant,country,bought,rev"]
    for i in range(2000):
        arm, country = ("control", "treatment")[i % 2], ("US", "DE")[i // 2 % 2]
        value = 50_000 if i in (2, 6) else i // 4 % 10 + i % 2
        rows.append(f"{i},{arm},{country},{i // 4 % 2},{value}")
    path = tmp_path / "whales.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_the_cap_and_who_lies_above_it_are_shown(whales: Path, tmp_path: Path) -> None:
    options = ("--metric", "rev", "--winsorize", "99.5", "--report", str(tmp_path / "out.html"))
    outcome = run(whales, *options)
    page = " ".join(re.sub("<[^>]+>", " ", (tmp_path / "out.html").read_text()).split())
    (cap,) = json.loads(run(whales, *options, "--json").stdout)["caps"]

    said = "values above 10.00, the 99.5 % percentile of all arms together, count as 10.00"
    assert f"note rev: {said}: units above it: control 2, treatment 0" in " ".join(outcome.stdout.split())
    assert f"rev: V{said[1:]}." in page
    assert f"rev: {said}: units above it: control 2, treatment 0." in page
    assert (cap["metric"], cap["percentile"], cap["cap"]) == ("rev", 99.5, 10.0)
    assert cap["above"] == {"control": 2, "treatment": 0}


def test_segments_are_capped_as_the_whole(whales: Path, tmp_path: Path) -> None:
    options = ("--metric", "rev", "--winsorize", "99.5", "--segment", "country")
    run(whales, *options, "--report", str(tmp_path / "out.html"))
    page = " ".join(re.sub("<[^>]+>", " ", (tmp_path / "out.html").read_text()).split())

    for country in ("DE", "US"):
        (change,) = re.findall(rf"country: {country} 1,000 (\S+) %", page)
        assert 15 < float(change) < 30


def test_a_cap_that_leaves_no_variance_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rare.csv"
    rows = [f"{i},{('control', 'treatment')[i % 2]},{30 if i == 7 else 0}" for i in range(4000)]
    path.write_text("user_id,variant,revenue\n" + "\n".join(rows) + "\n")

    outcome = run(path, "--metric", "revenue", "--winsorize", "99.9")

    assert outcome.exit_code == 1
    assert "--winsorize: the 99.9 % cap of revenue is 0" in " ".join(outcome.output.split())


@pytest.mark.parametrize("metric", ["bought", "rev/bought", "rev:p90"])
def test_where_nothing_can_be_capped_that_is_said(whales: Path, metric: str) -> None:
    outcome = run(whales, "--metric", metric, "--winsorize", "99.5")

    assert outcome.exit_code == 1
    assert "--winsorize: there is no mean to cap" in " ".join(outcome.output.split())


def test_a_file_of_sums_can_not_be_capped(tmp_path: Path) -> None:
    path = tmp_path / "sums.csv"
    path.write_text("metric,variant,n,sum\nc,a,400,120\nc,b,400,240\n")

    assert "--winsorize: a file of sums" in run(path, "--metric", "c", "--winsorize", "99").output
