"""Documents for the API: what is read from YAML and JSON, and what is refused with its place."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from neonblue.cli.document import LARGEST_BYTES, parse, read_document
from neonblue.cli.document_error import DocumentError
from neonblue.cli.experiment_document import basis_points, example_of, for_the_api

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), _JSON))
def test_json_is_read_as_it_was_written(document: dict[str, Any]) -> None:
    assert parse(json.dumps(document)) == document


@given(st.text())
def test_any_text_is_a_document_or_an_error_that_says_why(text: str) -> None:
    try:
        said = str(parse(text))
    except DocumentError as error:
        said = str(error)
    assert said


def test_words_of_yaml_stay_what_they_look_like() -> None:
    text = "a: off\nb: no\nc: 2026-03-01T09:30:00Z\nd: 12:30:00\ne: 1_000\nf: 010\non: x\ng: true\nh: 1.5\ni: ~\nj: -3"

    assert parse(text) == {
        "a": "off", "b": "no", "c": "2026-03-01T09:30:00Z", "d": "12:30:00", "e": "1_000", "f": "010", "on": "x",
        "g": True, "h": 1.5, "i": None, "j": -3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("- a", "must hold fields with their values"),
        ("checkout", "must hold fields with their values"),
        ("key: a\nkey: b", "line 2: 'key' stands there twice"),
        ("variants:\n  - key: a\n    key: b", "line 3: 'key' stands there twice"),
        ("a: &x [1]\nb: *x", "line 2: aliases (*x) are not read"),
        ("a: !!python/object/apply:os.system [ls]", "line 1: tags"),
        ("a: !!timestamp soon", "line 1: tags"),
        ("1: a", "line 1: a field's name must be a text"),
        ("a: [", "line 1"),
        ("a:\n\t- b", "line 2, column 1"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: " + "[" * 5_000, "is nested too deeply"),
        ("a: " + "9" * 5_000, "holds a number that is too large"),
        ("a: 1e999", "holds a number that is too large"),
        ('{"a": 1, "a": 2}', "'a' stands there twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": 1e999}', "holds a number that is too large"),
        ('{"a": 1,}', "line 1, column"),
        ('{"a": ' + "[" * 100_000, "is nested too deeply"),
    ],
    ids=lambda text: text[:20],
)
def test_what_can_not_be_read_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse(text)

    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"key: a\nname: caf\xe9\n", "line 2: is not UTF-8"),
        (b"a" * (LARGEST_BYTES + 1), "is larger than 1,048,576 bytes"),
    ],
    ids=["latin-1", "large"],
)
def test_a_file_that_can_not_be_sent_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    file = tmp_path / "e.yaml"
    file.write_bytes(content)
    with pytest.raises(typer.Exit):
        read_document(str(file))
    said = " ".join(capsys.readouterr().err.split())
    assert "e.yaml:" in said.replace(" ", "")
    assert message in said


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_a_file_that_is_not_there_is_named(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        read_document(name)
    assert f"error  {name}: " in capsys.readouterr().err


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_bytes(b"\xef\xbb\xbfkey: a\n")
    assert read_document(str(file)) == {"key": "a"}


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"key: a")))
    assert read_document("-") == {"key": "a"}


@pytest.mark.parametrize(
    ("text", "points"),
    [("25%", 2_500), ("0.5 %", 50), ("0.01%", 1), (" 100% ", 10_000), ("0%", 0)],
)
def test_a_percentage_is_basis_points(text: str, points: int) -> None:
    assert basis_points(text) == points
    assert for_the_api({"key": "a", "allocation": text}) == {"key": "a", "allocation": points}


@pytest.mark.parametrize("text", ["25", "0.25", "101%", "-5%", "0.001%", "5%%", "%", "", "１０%x"])
def test_what_is_no_percentage_is_left_to_the_api(text: str) -> None:
    assert basis_points(text) is None
    assert for_the_api({"allocation": text}) == {"allocation": text}


@pytest.mark.parametrize("key", ["welcome", "yes", "Null", "2026", "a: b", "a #b", "0x1", "é", "1e5", "- x"])
def test_the_example_has_the_key_that_was_asked_for_and_names_it_throughout(key: str) -> None:
    text = example_of(key)

    assert parse(text)["key"] == key
    assert f"create -f {key}.yaml" in text
    assert f"ramp {key} 50%" in text


def test_the_example_holds_what_a_first_experiment_needs() -> None:
    assert for_the_api(parse(example_of("checkout"))).keys() >= {
        "key",
        "variants",
        "metrics",
        "allocation",
        "owner",
    }
