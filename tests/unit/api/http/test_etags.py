"""What If-Match and If-None-Match let through."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.etags import content_tag, is_current, require_match, version_tag
from api.http.problems import Problem


@pytest.mark.parametrize("header", ['"7"', "*", '"6", "7"', '  "7" ', 'W/"6","7"'])
def test_a_change_of_the_state_seen_goes_on(header: str) -> None:
    require_match(header, version_tag(7))


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 428, "if_match_required"),
        ('"6"', 412, "changed_meanwhile"),
        ('W/"7"', 412, "changed_meanwhile"),
        ("", 412, "changed_meanwhile"),
        ("7", 400, "invalid_etag"),
        ('"7', 400, "invalid_etag"),
        ('"7" "7"', 400, "invalid_etag"),
        ('"7",' * 1000, 400, "invalid_etag"),
    ],
)
def test_any_other_change_is_refused_with_its_reason(header: str | None, status: int, code: str) -> None:
    with pytest.raises(Problem) as refused:
        require_match(header, version_tag(7))
    assert (refused.value.status, refused.value.code) == (status, code)


def test_who_is_refused_is_told_the_current_tag() -> None:
    with pytest.raises(Problem) as refused:
        require_match('"6"', version_tag(7))
    assert refused.value.headers["etag"] == '"7"'


def test_a_reader_with_the_current_state_is_told_so() -> None:
    assert is_current('"6", W/"7"', version_tag(7))
    assert not is_current('"6"', version_tag(7))
    assert not is_current(None, version_tag(7))


@pytest.mark.parametrize(
    "header", ["7", '"7', "W/7", 'W/"7"', 'w/"7"', "*", " * ", '"6",7', '"6" "7"', '"a,b", "7"']
)
def test_a_tag_that_lost_its_quotes_or_became_weak_is_known(header: str) -> None:
    assert is_current(header, version_tag(7))


@pytest.mark.parametrize("header", ["", ",", '"', '"6', "77", "W/", '"6, 7"', '"6",' * 2_000])
def test_one_that_is_not_current_or_can_not_be_read_is_another_state(header: str) -> None:
    assert not is_current(header, version_tag(7))


@given(st.binary(), st.binary())
def test_tags_are_equal_exactly_where_the_content_is(one: bytes, other: bytes) -> None:
    assert (content_tag(one) == content_tag(other)) == (one == other)


@given(st.text(max_size=100))
def test_no_header_breaks_the_reader(header: str) -> None:
    is_current(header, version_tag(7))
    with suppress(Problem):
        require_match(header, version_tag(7))
