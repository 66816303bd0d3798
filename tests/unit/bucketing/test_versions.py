"""The order of versions is that of Semantic Versioning 2.0.0; what is none is read as none."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.bucketing import compile_expression
from neonblue.bucketing.versions import VERSION_LENGTH, version_key

CASE = Path(__file__).parents[4] / "shared" / "bug-cases" / "version-of-the-app.json"
ASCENDING = [
    "0", "0.0.1", "0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
    "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.9.0", "1.10.0-0", "1.10.0--", "1.10.0-A", "1.10.0-a", "1.10.0", "1.10.1",
    "1.100.0", "2", "10.0.0", "99999999999999999999.0.0", "9" * VERSION_LENGTH,
]  # fmt: skip
SAME = ["1.10.0", "1.10", "v1.10.0", "V1.10", " 1.10.0\n", "1.10.0+build.7", "1.10.0+001"]
UNREADABLE = [
    "", "v", "abc", "1.2.3.4", "01.2", "1.02.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+", "1..2", "1.2.", ".1",
    "-1", "1,2", "1.2 beta", "1.2.3-ä", "١.٢", "1." * 200, "9" * (VERSION_LENGTH + 1),
]  # fmt: skip

numbers = st.integers(0, 10**20)
identifiers = numbers | st.from_regex(r"[0-9A-Za-z-]*[A-Za-z-][0-9A-Za-z-]*", fullmatch=True)
versions = st.tuples(
    st.tuples(numbers, numbers, numbers), st.none() | st.lists(identifiers, min_size=1, max_size=5)
)
Version = tuple[tuple[int, int, int], list[int | str] | None]


def text(version: Version) -> str:
    core, prerelease = version
    written = ".".join(map(str, core))
    return written if prerelease is None else f"{written}-{'.'.join(map(str, prerelease))}"


def precedence(version: Version) -> tuple[object, ...]:
    """Section 11 of semver.org, word by word."""
    core, prerelease = version
    identifiers = [(0, item, "") if isinstance(item, int) else (1, 0, item) for item in prerelease or []]
    return (core, prerelease is None, identifiers)


@given(versions, versions)
def test_the_order_is_the_one_of_the_specification(one: Version, other: Version) -> None:
    first, second = version_key(text(one)), version_key(text(other))
    assert (first < second) == (precedence(one) < precedence(other))
    assert (first == second) == (precedence(one) == precedence(other))


@pytest.mark.parametrize(("smaller", "larger"), list(pairwise(ASCENDING)))
def test_each_version_comes_before_the_next(smaller: str, larger: str) -> None:
    assert version_key(smaller) < version_key(larger)


@pytest.mark.parametrize("other", SAME)
def test_a_leading_v_missing_parts_spaces_and_a_build_do_not_count(other: str) -> None:
    assert version_key(other) == version_key("1.10.0")


@pytest.mark.parametrize("other", UNREADABLE)
def test_what_is_no_version_is_refused(other: str) -> None:
    with pytest.raises(ValueError, match="is no version"):
        version_key(other)


@given(versions, versions)
def test_an_expression_compares_as_the_keys_do(one: Version, other: Version) -> None:
    unit = {"version": text(one), "least": text(other)}
    expected = precedence(one) >= precedence(other)
    for written in (f"'{text(other)}'", f"semver('{text(other)}')", "attributes.least"):
        assert compile_expression(f"semver(attributes.version) >= {written}").matches(unit) is expected


@pytest.mark.skipif(not CASE.exists(), reason="the cases lie beside the checkout")
def test_a_unit_of_an_old_version_is_left_out() -> None:
    units = json.loads(CASE.read_text())["units"]
    targeting = compile_expression('semver(attributes.version) >= "1.10.0"')
    assert [unit["version"] for unit in units if targeting.matches(unit)] == ["1.10.1", "1.100.0"]
