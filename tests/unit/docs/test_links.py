"""Every link of the pages leads somewhere."""

from __future__ import annotations

import re

import pytest

from tests.unit.docs.pages import NAMES, ROOT, text

_LINK = re.compile(r"\]\(([^)#:]+)?(?:#([^)]+))?\)")


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("page", NAMES)
def test_every_link_on_the_page_leads_somewhere(page: str) -> None:
    for target, anchor in _LINK.findall(text(page)):
        file = ((ROOT / page).parent / target).resolve() if target else ROOT / page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, (target, anchor)
