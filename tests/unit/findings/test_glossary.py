"""The glossary of the docs and that of the reports are the same, and the words that it replaced are gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neonblue.analysis.why import State
from neonblue.findings.glossary import GLOSSARY
from neonblue.findings.heading import WORDS
from neonblue.statistics.experiment.wording import VERDICTS

ROOT = Path(__file__).parents[3]
REPLACED = (
    "no significant difference",
    "met more than one arm",
    "course to show",
    "square is decided",
    "multiply exposed",
)


def test_the_docs_and_the_reports_have_the_same_words() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text().splitlines()
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line.startswith("|")
    ]

    assert rows[2:] == [
        (word.word, word.meaning, f"`{word.in_api}`" if word.in_api else "") for word in GLOSSARY
    ]


def test_every_verdict_is_explained() -> None:
    explained = " ".join(word.word for word in GLOSSARY)

    assert all(word in explained for word in VERDICTS.values())


@pytest.mark.parametrize("state", [state for state in State if state is not State.OK])
def test_every_state_without_numbers_is_explained(state: State) -> None:
    assert [word.word for word in GLOSSARY if word.in_api == f"status: {state}"]


def test_what_a_report_says_first_is_explained() -> None:
    explained = " ".join(f"{word.word} {word.meaning}" for word in GLOSSARY).lower()

    assert [words for _, words in WORDS.values() if words.lower() not in explained] == []


def test_a_time_of_day_ends_in_z() -> None:
    sources = [
        path for folder in ("neonblue", "api", "orchestration") for path in (ROOT / folder).rglob("*.py")
    ]
    written = re.compile(r"%[MSf]\}? UTC")

    assert [path for path in sources if written.search(path.read_text())] == []


@pytest.mark.parametrize(
    "folder", ["neonblue/reports", "neonblue/results", "neonblue/statistics", "neonblue/cli"]
)
def test_no_other_word_is_used(folder: str) -> None:
    texts = [path.read_text() for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".html")]

    assert [word for word in REPLACED if any(word in text for text in texts)] == []
