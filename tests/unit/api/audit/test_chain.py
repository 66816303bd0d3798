"""The chain of the audit log: any change of any row shows at that row or the next."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from api.audit.chain import Chain, Head, Row, link
from api.identity.pseudonyms import named

texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
contents = st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=8)


def _written(rows: list[list[str | None]]) -> list[Row]:
    found: list[Row] = []
    head = b""
    for number, fields in enumerate(rows, start=1):
        head = link(head, (str(number), *fields))
        found.append(Row(number, (str(number), *fields), head))
    return found


def _first_broken(rows: list[Row]) -> int | None:
    chain = Chain()
    for row in rows:
        broken = chain.follow(row)
        if broken is not None:
            return broken.row_id
    return None


@given(contents)
def test_rows_as_they_were_written_follow(rows: list[list[str | None]]) -> None:
    assert _first_broken(_written(rows)) is None


@given(contents, st.data())
def test_a_changed_field_is_found_at_its_row(rows: list[list[str | None]], data: st.DataObject) -> None:
    written = _written(rows)
    place = data.draw(st.integers(0, len(written) - 1))
    field = data.draw(st.integers(1, 3))
    fields = list(written[place].fields)
    fields[field] = data.draw(texts.filter(lambda text: text != fields[field]))
    written[place] = replace(written[place], fields=tuple(fields))
    assert _first_broken(written) == place + 1


@given(contents, st.data())
def test_a_missing_row_is_found_at_its_place(rows: list[list[str | None]], data: st.DataObject) -> None:
    written = _written(rows)
    place = data.draw(st.integers(0, len(written) - 1))
    rest = written[:place] + written[place + 1 :]
    assert _first_broken(rest) == (place + 1 if place < len(rest) else None)


@given(contents, st.data())
def test_what_is_left_of_a_log_follows_the_last_row_that_was_moved(
    rows: list[list[str | None]], data: st.DataObject
) -> None:
    written = _written(rows)
    moved = data.draw(st.integers(1, len(written)))
    chain = Chain(Head(moved, written[moved - 1].hash))
    assert [chain.follow(row) for row in written[moved:]] == [None] * (len(written) - moved)
    assert (chain.rows, chain.head) == (len(written) - moved, Head(len(written), written[-1].hash))


@given(st.lists(texts, min_size=1, max_size=3), st.lists(texts, min_size=1, max_size=3))
def test_different_fields_never_look_alike(one: list[str | None], other: list[str | None]) -> None:
    """Not even where one field's text moves to the next."""
    assert (link(b"", one) == link(b"", other)) == (one == other)


@given(st.binary(min_size=1, max_size=32), st.binary(min_size=1, max_size=32), st.text(max_size=20))
def test_a_pseudonym_is_the_same_under_one_key_only(key: bytes, other: bytes, text: str) -> None:
    text = text.encode(errors="replace").decode()
    assert named(key, "user", text) == named(key, "user", text)
    same = key.rstrip(b"\0") == other.rstrip(b"\0")
    assert (named(key, "user", text) == named(other, "user", text)) == same
