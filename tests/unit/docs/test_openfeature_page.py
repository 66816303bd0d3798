"""The page on OpenFeature shows code that is tested, as it is tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "openfeature.md").read_text()
TESTED = ROOT / "tests" / "integration" / "openfeature"
FILES = ["python_sdk.py", "javascript/server.mjs", "javascript/exposures.mjs", "javascript/web.mjs"]
BLOCKS = re.findall(r"^```(?:js|python)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("file", FILES)
def test_a_tested_file_is_on_the_page_as_it_is(file: str) -> None:
    assert (TESTED / file).read_text() in BLOCKS


def test_the_page_shows_no_other_code() -> None:
    assert len(BLOCKS) == len(FILES)
