"""Documents that people write for the API: a mapping in YAML or JSON, in a file or on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from neonblue.cli.document_error import DocumentError
from neonblue.cli.terminal import fail

Document = dict[str, Any]

LARGEST_BYTES = 1024**2
"""What the API takes in one request."""

STANDARD_INPUT = "-"


def read_document(name: str) -> Document:
    """The mapping in the file `name`; - is standard input. Ends the command where there is none, with what is wrong."""
    place = "standard input" if name == STANDARD_INPUT else name
    try:
        return parse(_text(_content(name)))
    except DocumentError as error:
        fail(f"{place}: {error}")
    except OSError as error:
        fail(f"{place}: {error.strerror or error}")


def parse(text: str) -> Document:
    """The mapping that the text holds, as JSON where it begins with a brace, else as YAML. Raises DocumentError."""
    if not text.strip():
        raise DocumentError("is empty")
    try:
        found = _from_json(text) if text.lstrip().startswith("{") else _from_yaml(text)
        json.dumps(found, allow_nan=False)
    except RecursionError:
        raise DocumentError("is nested too deeply") from None
    except DocumentError:
        raise
    except ValueError:
        raise DocumentError("holds a number that is too large") from None
    if not isinstance(found, dict):
        raise DocumentError("must hold fields with their values, such as `key: checkout`")
    return found


def _content(name: str) -> bytes:
    if name == STANDARD_INPUT:
        content = sys.stdin.buffer.read(LARGEST_BYTES + 1)
    else:
        with Path(name).open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise DocumentError(f"is larger than {LARGEST_BYTES:,} bytes, the most that the API takes")
    return content


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DocumentError(f"line {line}: is not UTF-8") from None


def _from_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise DocumentError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None


def _from_yaml(text: str) -> Any:
    try:
        from neonblue.cli.yaml_text import parse_yaml
    except ModuleNotFoundError:
        raise DocumentError("YAML needs PyYAML: write it as JSON, or install PyYAML") from None
    return parse_yaml(text)


def _once(pairs: list[tuple[str, Any]]) -> Document:
    found: Document = {}
    for name, value in pairs:
        if name in found:
            raise DocumentError(f"{name!r} stands there twice")
        found[name] = value
    return found


def _no_number(name: str) -> NoReturn:
    raise DocumentError(f"{name} is no number that JSON has")
