"""What a line of ours is, whoever writes it: structlog or a library."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.log_lines import RESERVED, read
from neonblue.log_lines.line import written

_ROOT = Path(__file__).parents[3]
_LOGGERS = ("log", "_log")
_METHODS = ("debug", "info", "warning", "error", "critical", "exception")

_PROGRAM = """
import logging, sys, warnings
import structlog
from neonblue import log_lines
from neonblue.log_lines import REQUEST_ID, TRACE_ID, LogLines, of_process
log_lines.configure("tests", LogLines(lambda: sys.stdout))
log = structlog.get_logger("x")
of_process(run_id="r1")
log.warning("something_happened", count=3, who="Zoë \\u2028")
REQUEST_ID.set("q1"); TRACE_ID.set("0af7651916cd43dd8448eb211c80319c")
log.info("served", request_id="its own")
logging.getLogger("uvicorn.error").warning("Invalid %s", "request")
logging.getLogger("httpx").info("GET /v1/users/ann")
warnings.warn("old")
try:
    int("ann@example.com")
except ValueError:
    log.exception("broke")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=True)
"""


def lines_of(program: str, **environment: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT), **environment},
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("locale", [{"PYTHONIOENCODING": "utf-8"}, {"PYTHONIOENCODING": "ascii"}])
def test_every_line_has_the_same_form_in_every_locale(locale: dict[str, str]) -> None:
    lines = lines_of(_PROGRAM, **locale)

    assert {tuple(line)[:4] for line in lines} == {RESERVED}
    assert {line["service"] for line in lines} == {"tests"}
    assert all(line["timestamp"].endswith("Z") and "T" in line["timestamp"] for line in lines)
    assert [(line["level"], line["event"]) for line in lines] == [
        ("warning", "something_happened"),
        ("info", "served"),
        ("warning", "message"),
        ("warning", "message"),
        ("error", "broke"),
        ("error", "message"),
    ]
    assert lines[0]["who"] == "Zoë \u2028"
    assert (lines[2]["logger"], lines[2]["message"]) == ("uvicorn.error", "Invalid request")


def test_ids_are_in_every_line_that_has_not_its_own() -> None:
    first, served, *others = lines_of(_PROGRAM)

    assert (first["run_id"], first.get("request_id")) == ("r1", None)
    assert served["request_id"] == "its own"
    assert {(line["run_id"], line["request_id"], line["trace_id"]) for line in others} == {
        ("r1", "q1", "0af7651916cd43dd8448eb211c80319c")
    }


def test_what_an_error_quotes_is_left_out_and_its_place_is_told() -> None:
    *_, own, libraries = lines_of(_PROGRAM)

    for line in (own, libraries):
        assert "ann@example.com" not in json.dumps(line)
        assert "ValueError" in line["exception"]
        assert ", line 16, in <module>" in line["exception"]


def test_no_field_of_an_event_is_called_as_what_every_line_has() -> None:
    broken = [
        f"{file.relative_to(_ROOT)}:{call.lineno} {keyword.arg}"
        for package in ("neonblue", "api", "orchestration")
        for file in (_ROOT / package).rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in _LOGGERS
        and call.func.attr in _METHODS
        for keyword in call.keywords
        if keyword.arg in RESERVED
    ]

    assert broken == []


@given(st.text(max_size=60) | st.recursive(st.none() | st.text(max_size=5), st.lists).map(json.dumps))
def test_no_text_is_an_error_to_read(text: str) -> None:
    read(text)


@given(st.dictionaries(st.text(max_size=8).filter(lambda name: name not in RESERVED), st.text(max_size=20)))
def test_what_is_shown_never_steers_a_terminal(fields: dict[str, str]) -> None:
    head = dict.fromkeys(RESERVED, "\x1b]0;x\x07\u202e\x9b")
    line = read(json.dumps(head | fields))
    assert line is not None

    assert all(letter.isprintable() for letter in line.readable().replace("\n", "").replace("\t", ""))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"timestamp": 1, "level": "info", "event": "x", "service": "y"}', "[" * 10_000],
)
def test_what_is_no_line_of_ours_is_none(text: str) -> None:
    assert read(text) is None


class _Broken:
    def __repr__(self) -> str:
        raise KeyError("ann")


def _nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


_CYCLE: dict[str, Any] = {}
_CYCLE["itself"] = _CYCLE


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        _Broken(),
        _CYCLE,
        _nested(5_000),
        {("a", 1): 2},
        {_Broken(): 1},
        b"\xff",
        {1, 2},
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_value_gives_one_line_of_json(value: object) -> None:
    text = written(
        {"timestamp": "t", "level": "info", "event": "e", "service": "s", "value": value, "more": 1}
    )

    read_again = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert "\n" not in text
    assert (read_again["event"], read_again["more"]) == ("e", 1)


def test_a_line_has_a_bounded_length_and_keeps_its_head() -> None:
    text = written({"event": "e", "value": "x" * 5_000_000, "list": ["y" * 1_000] * 1_000, "n" * 1_000: 1})

    assert len(text) < 20_000
    assert json.loads(text)["event"] == "e"
    assert "(5000000 characters)" in text


_ODD = """
import gc, logging, sys
import structlog
from neonblue import log_lines
from neonblue.log_lines import LogLines
lines = LogLines(lambda: sys.stdout)
log_lines.configure("tests", lines)
class Broken(RuntimeError):
    def __str__(self): raise KeyError("ann")
try:
    raise Broken
except Broken:
    structlog.get_logger("x").error("broke", exc_info=True)
logging.getLogger("urllib3.connectionpool").warning("Retrying: %s", "/?query_id=1&param_user=ann%40example.com")
logging.getLogger("x").warning("one %d of %s", 1)
class Ending:
    def __del__(self): logging.getLogger("x").warning("ended")
endings = [Ending()]
class Stream:
    def fileno(self): raise OSError
    def write(self, text): endings.clear(); sys.__stdout__.write(text)
    def flush(self): pass
lines._stream = lambda: Stream()
logging.getLogger("x").warning("last")
"""


def test_nothing_that_is_logged_raises_hangs_or_quotes_a_query() -> None:
    broke, retrying, wrong, last, dropped = lines_of(_ODD)

    assert broke["exception"].endswith("Broken: its text can't be told")
    assert retrying["message"] == "Retrying: /?…"
    assert wrong["message"] == "one %d of %s"
    assert last["message"] == "last"
    assert dropped["event"] == "log_lines_dropped"
