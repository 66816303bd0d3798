"""COPY's rows: whatever a text holds, one thing is one row, with the values that it had."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from msgspec import Raw

from api.postgres.copying import event_lines, numbered_event_lines, outbox_lines
from neonblue.contract.events import EVENT_COLUMNS, Event
from neonblue.contract.outbox import Aggregate, Happening, OutboxRow

AT = "2026-03-01T09:30:01.000000Z"
FORGED = "1\t\t\n2026-03-01\t0197a6c0-8a40-7cc1-b5d1-0f6f2f3a9a12\t2026-03-01T09:30:00Z"
NASTY = (
    FORGED,
    "\t",
    "\n",
    "a\\tb",
    "\\",
    "\\N",
    "\\.",
    "end\\",
    "\r\n",
    "carriage\rreturn",
    "\x00",
    "\x1f",
    "a\n\\.\nb",
)
TEXTS = [column.name for column in EVENT_COLUMNS if column.sql_type == "text"]
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANING = {"t": "\t", "n": "\n", "r": "\r"}


def read(data: bytes) -> list[list[str | None]]:
    """Rows as PostgreSQL reads them from COPY's text format with NULL ''."""
    lines = re.findall(r"((?:[^\\\n]|\\.)*)\n", data.decode(), re.DOTALL)
    assert "".join(f"{line}\n" for line in lines) == data.decode()
    return [
        [_value(field) for field in re.findall(r"(?:^|\t)((?:[^\\\t]|\\.)*)", line, re.DOTALL)]
        for line in lines
    ]


def _value(field: str) -> str | None:
    assert "\r" not in field.replace("\\\r", "")
    return _ESCAPED.sub(lambda found: _MEANING.get(found[1], found[1]), field) if field else None


def event(number: int = 0, **fields: object) -> Event:
    whole: dict[str, Any] = {column.name: None for column in EVENT_COLUMNS}
    whole |= {column.name: f"a {column.name}" for column in EVENT_COLUMNS if column.sql_type == "text"}
    whole |= {"id": f"0197a6c0-8a40-7cc1-b5d1-{number:012}", "day": "2026-03-01", "value": "19.990000"}
    whole |= {"timestamp": "2026-03-01T09:30:00.250000Z", "properties": Raw(rb'{"a":"\"\t\\"}')}
    return Event(**(whole | fields))


def values(event: Event) -> list[str | None]:
    """What its row must hold."""
    told = [getattr(event, column.name) for column in EVENT_COLUMNS]
    return [None if v is None else bytes(v).decode() if isinstance(v, Raw) else str(v) for v in told]


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", NASTY)
def test_whatever_a_text_holds_an_event_is_one_row_and_nobody_elses(field: str, text: str) -> None:
    events = [event(2), event(1, **{field: text}), event(3, experiment_id=7)]
    ordered = [events[1], events[0], events[2]]

    assert read(event_lines(events, AT)) == [[*values(one), AT] for one in ordered]
    assert read(numbered_event_lines(events, AT)) == [
        [*values(one), AT, str(n)] for n, one in enumerate(events)
    ]


def test_what_an_event_does_not_say_is_null() -> None:
    bare = event(**{column.name: None for column in EVENT_COLUMNS if column.optional})
    assert read(event_lines([bare], AT)) == [[*values(bare), AT]]


@pytest.mark.parametrize("text", NASTY)
def test_whatever_its_id_holds_a_message_is_one_row_of_the_outbox(text: str) -> None:
    rows = [
        OutboxRow(Aggregate.USER_LINK, text, Happening.USER_LINKED, json.dumps({"id": text}).encode()),
        OutboxRow(Aggregate.EVENT, "e", Happening.EVENT_CREATED, b"{}"),
    ]
    assert read(outbox_lines(rows)) == [
        ["user_link", text, "USER_LINKED", json.dumps({"id": text})],
        ["event", "e", "EVENT_CREATED", "{}"],
    ]
