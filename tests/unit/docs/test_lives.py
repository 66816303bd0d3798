"""The page on statistics has the table of the lives that are kept."""

from __future__ import annotations

from pathlib import Path

from neonblue.simulation.lives.families import BY_KEY, FAMILIES
from neonblue.simulation.lives.table import BEGIN, END, markdown, read

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "statistics.md").read_text()
KEPT = read(DOCS / "lives.jsonl")


def test_the_table_is_that_of_the_lives_that_are_kept() -> None:
    assert f"{BEGIN}\n{markdown(KEPT)}\n{END}" in PAGE


def test_every_family_is_kept_and_exists() -> None:
    assert [tally.family for tally in KEPT] == [family.key for family in FAMILIES]
    assert all(tally.lives for tally in KEPT)


def test_every_family_of_the_page_exists() -> None:
    rows = PAGE.split(BEGIN)[1].split(END)[0].splitlines()[3:]
    assert [row.split("`")[1] for row in rows] == list(BY_KEY)
