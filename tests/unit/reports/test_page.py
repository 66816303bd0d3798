"""The HTML of a report: whole in itself, in words first, readable without sight of the drawings."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from neonblue.reports import (
    ExperimentLine,
    ExperimentReport,
    HealthRow,
    Outcome,
    Overview,
    Provenance,
    Said,
    Unavailable,
    render_overview,
    render_report,
)
from tests.unit.reports.conftest import FIRST

_FETCHING = {"src", "href", "srcset", "poster", "data", "action", "background", "xlink:href"}
_VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a page holds, and whether its elements close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.misplaced: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.misplaced.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(whole: ExperimentReport) -> str:
    return render_report(whole)


def test_every_element_is_closed_in_order(text: str) -> None:
    page = Page(text)
    assert page.misplaced == []
    assert page.open == []


def test_nothing_is_fetched_from_anywhere(text: str) -> None:
    page = Page(text)
    addresses = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in _FETCHING and value and not value.startswith(("#", "data:"))
    ]
    assert addresses == []
    assert page.of("script") == []
    assert re.search(r"@import|url\((?!#)", text) is None
    assert "://" not in text
    policies = [
        meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies
    assert "default-src 'none'" in str(policies[0])


def test_every_drawing_has_a_name_and_a_description_in_words(text: str) -> None:
    page = Page(text)
    texts = dict(re.findall(r'<(?:title|desc) id="([^"]+)">([^<]+)<', text))
    drawings = page.of("svg")
    assert len(drawings) >= 16
    for drawing in drawings:
        assert drawing["role"] == "img"
        for name in str(drawing["aria-labelledby"]).split():
            assert texts[name].strip()


def test_every_drawing_has_its_numbers_in_a_table_beside_it(text: str) -> None:
    figures = re.findall(r"<figure>.*?</figure>", text, re.DOTALL)
    assert len(figures) >= 8
    for figure in figures:
        assert figure.count("<details>") == 1
        assert figure.count("<tr>") >= 2


def test_every_drawing_is_laid_out_for_a_desktop_and_for_a_phone(text: str) -> None:
    assert text.count('<div class="wide">') == text.count('<div class="narrow">') == text.count("<figure>")


def test_ids_are_used_once_and_every_reference_has_its_target(text: str) -> None:
    page = Page(text)
    ids = [str(attributes["id"]) for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    assert references <= set(ids)
    assert references


def test_the_decision_stands_before_every_number(text: str) -> None:
    words = " ".join(Page(text[text.index("<body>") :]).words)
    assert words.index("Keep running") < words.index("conversion −1.2 %") < words.index("Metrics")


def test_methods_and_watermark_stand_at_the_end(text: str) -> None:
    assert text.index('id="health"') < text.index('id="methods"') < text.index("2026-02-18 08:59Z")


def test_drawings_take_the_page_s_colours_so_that_they_can_be_read_in_the_dark(text: str) -> None:
    assert "prefers-color-scheme: dark" in text
    body = text[text.index("<body>") :]
    assert re.findall(r"#[0-9a-f]{6}\b", body) == []
    variables = set(re.findall(r"var\((--[a-z0-9_-]+)\)", body))
    assert variables
    assert all(text.count(f"{name}: #") == 3 for name in variables if name != "--paper")


def test_paper_has_rules_of_its_own(text: str) -> None:
    assert "@media print" in text
    assert "@page" in text


def test_names_are_text_and_never_markup(whole: ExperimentReport) -> None:
    hostile = '"><script>alert(1)</script>'
    effect = replace(whole.effects[0], metric=hostile, arm=hostile, note=hostile)
    text = render_report(
        replace(
            whole,
            title=hostile,
            said=replace(whole.said, sentence=hostile),
            effects=(effect,),
            arms=("control", hostile),
        )
    )
    page = Page(text)
    assert page.of("script") == []
    assert page.misplaced == []


def test_what_is_missing_is_listed_with_its_reason(whole: ExperimentReport) -> None:
    text = render_report(replace(whole, funnel=Unavailable("No funnel is defined."), retention=()))
    assert "No funnel is defined." in text
    assert 'id="funnel"' not in text
    assert "No unit&#39;s first day has passed yet." in text


def test_a_check_that_could_not_tell_is_not_shown_as_passed(whole: ExperimentReport) -> None:
    few = HealthRow("sample ratio (version 1)", True, "Too few units to tell: 1, 1 per arm.", told=False)
    text = render_report(replace(whole, health=(few,)))
    health = text[text.index('id="health"') : text.index("<footer>")]
    assert "✓" not in health
    assert "sample ratio (version 1) (can&#39;t be told yet)." in health
    assert few.message in health


def test_an_experiment_without_data_says_so_and_has_no_empty_drawings(provenance: Provenance) -> None:
    empty = ExperimentReport(
        key="new",
        title="new",
        said=Said(Outcome.NO_DATA, "No unit has been exposed yet."),
        arms=("control", "treatment"),
        effects=(),
        health=(),
        methods=(),
        provenance=provenance,
    )
    text = render_report(empty)
    assert "No data yet" in text
    assert "There are no numbers yet." in text
    assert "No metric is defined" not in text
    assert "<svg" not in text
    assert "There is no allocation to compare with." in text


def test_a_report_is_small_and_the_same_each_time(whole: ExperimentReport, text: str) -> None:
    assert len(text) < 400_000
    assert render_report(whole) == text


def test_the_overview_names_decision_and_failed_checks_of_each_experiment(provenance: Provenance) -> None:
    lines = (
        ExperimentLine("a", "Button", "running", Said(Outcome.SHIP, "Ship blue."), 42_000, report="a.html"),
        ExperimentLine(
            "b", "b", "running", Said(Outcome.INVALID, "Do not."), 10, unhealthy=("sample ratio",)
        ),
    )
    text = render_overview(Overview(FIRST, FIRST, lines, provenance))
    page = Page(text)
    assert page.misplaced == page.open == []
    assert [link["href"] for link in page.of("a")] == ["a.html"]
    assert "Ship blue." in text
    assert "Failed: sample ratio." in text
