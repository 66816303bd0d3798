"""The page on reliability has the table that the command prints, of faults that there are."""

from __future__ import annotations

import re
from pathlib import Path

from neonblue.faults import kept
from neonblue.faults.kinds import CORE, DAGSTER, NATURES, Kind
from neonblue.faults.report import COLUMNS, markdown

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "reliability.md").read_text()
TABLE = re.search(r"<!-- faults:begin -->(.*)<!-- faults:end -->", PAGE, re.DOTALL)


def test_the_table_is_one_that_the_command_prints() -> None:
    assert TABLE is not None
    header, _, *rows = [line for line in TABLE[1].splitlines() if line.startswith("|")]
    titles = [row.split("|")[1].strip() for row in rows]

    assert header == f"| {' | '.join(name for name, _ in COLUMNS)} |"
    assert titles
    for title in titles:
        kind, *target = title.split(" ")
        assert NATURES[Kind(kind)].of_service == bool(target)
        assert not target or target[0] in (*CORE, *DAGSTER)


def test_the_table_is_that_of_the_runs_that_are_kept() -> None:
    outcomes = sorted(kept.read(DOCS / "fault-runs.jsonl").values(), key=lambda outcome: outcome.plan.seed)

    assert markdown(outcomes) in PAGE


def test_every_named_fault_of_the_page_exists() -> None:
    for names in re.findall(r"--faults ([a-z_,]+)", PAGE):
        assert {Kind(name) for name in names.split(",")}
