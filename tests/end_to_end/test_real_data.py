"""Real experiments, from their files to their results, with the figures that are known of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import norm

from neonblue.settings import Settings
from orchestration.launch import launch

from .conftest import ROOT, CommandLine

DATA = ROOT.parent / "shared" / "data"
COOKIE_CATS = DATA / "cookie_cats.csv"
HILLSTROM = DATA / "hillstrom.csv"

pytestmark = pytest.mark.skipif(
    not (COOKIE_CATS.exists() and HILLSTROM.exists()),
    reason=f"the public data sets cookie_cats.csv and hillstrom.csv are not in {DATA}",
)


def import_cookie_cats(neonblue: CommandLine, file: Path = COOKIE_CATS) -> str:
    return neonblue.run(
        *("import", str(file), "--key", "cookie-cats", "--unit", "userid", "--variant", "test_version"),
        *("--control", "gate_30", "--start", "2025-01-01", "--metric", "retention_7"),
        *("--metric", "retention_1", "--metric", "rounds=sum_gamerounds"),
    ).stdout


@pytest.fixture(scope="module")
def results(neonblue: CommandLine, settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Both files imported, carried through, and analysed; the rows of results by experiment."""
    import_cookie_cats(neonblue)
    neonblue.run(
        *("import", str(HILLSTROM), "--key", "hillstrom", "--variant", "segment"),
        *("--control", "No E-Mail", "--start", "2025-01-01", "--metric", "visit"),
    )
    neonblue.run("reconcile", "--wait", "120")
    assert launch(settings, job="everything").succeeded
    return {key: neonblue.json("results", key)["results"] for key in ("cookie-cats", "hillstrom")}


def of_metric(rows: list[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["metric_key"] == metric]


def unpooled_p_value(control: tuple[int, int], treatment: tuple[int, int]) -> float:
    """Of no difference between two shares, each given as (successes, units)."""
    shares = [successes / units for successes, units in (control, treatment)]
    variance = sum(p * (1 - p) / units for p, (_, units) in zip(shares, (control, treatment), strict=True))
    return 2 * float(norm.sf(abs(shares[0] - shares[1]) / math.sqrt(variance)))


def test_cookie_cats_has_its_published_result(results: dict[str, list[dict[str, Any]]]) -> None:
    (row,) = of_metric(results["cookie-cats"], "retention_7")

    assert (row["n_control"], row["n_variant"]) == (44_700, 45_489)
    assert row["mean_control"] == pytest.approx(8_502 / 44_700, abs=1e-12)
    assert row["mean_variant"] == pytest.approx(8_279 / 45_489, abs=1e-12)
    # The published 0.00155 pools the arms' variances (0.001554); ours takes each arm's own, as its interval does.
    assert row["p_value"] == pytest.approx(unpooled_p_value((8_502, 44_700), (8_279, 45_489)), rel=1e-9)
    assert row["p_value"] == pytest.approx(0.00155, rel=0.005)
    assert row["sample_ratio_p"] == pytest.approx(0.0086, abs=5e-5)


def test_the_sums_of_cookie_cats_are_exact(results: dict[str, list[dict[str, Any]]]) -> None:
    (row,) = of_metric(results["cookie-cats"], "rounds")
    lines = [line.split(",") for line in COOKIE_CATS.read_text().splitlines()[1:]]
    rounds = {arm: [int(cells[2]) for cells in lines if cells[1] == arm] for arm in ("gate_30", "gate_40")}

    assert row["mean_control"] == pytest.approx(sum(rounds["gate_30"]) / 44_700, rel=1e-12)
    assert row["mean_variant"] == pytest.approx(sum(rounds["gate_40"]) / 45_489, rel=1e-12)


def test_hillstrom_has_three_arms_with_their_published_visit_rates(
    results: dict[str, list[dict[str, Any]]],
) -> None:
    rows = {row["variant_key"]: row for row in of_metric(results["hillstrom"], "visit")}

    assert set(rows) == {"mens_e-mail", "womens_e-mail"}
    assert round(rows["mens_e-mail"]["mean_control"] * 100, 2) == 10.62
    assert round(rows["womens_e-mail"]["mean_variant"] * 100, 2) == 15.14
    assert round(rows["mens_e-mail"]["mean_variant"] * 100, 2) == 18.28


def test_a_second_import_changes_nothing_and_says_so(
    neonblue: CommandLine, results: dict[str, list[dict[str, Any]]]
) -> None:
    before = neonblue.json("reconcile", "--wait", "60")

    said = import_cookie_cats(neonblue)

    assert "unchanged: every row of this file was stored before" in said
    after = neonblue.json("reconcile", "--wait", "60")
    assert after["agree"]
    assert after["events"]["accepted"] == before["events"]["accepted"]
