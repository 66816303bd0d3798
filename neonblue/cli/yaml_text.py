"""YAML as JSON could say it.

Plain words stay texts: `off`, `no` and `2026-03-01` are what they look like, as in YAML 1.2, not booleans and dates of
YAML 1.1. A field given twice, an alias and a tag are refused.
"""

from __future__ import annotations

import re
from typing import Any

import yaml  # type: ignore[import-untyped]

from neonblue.cli.document_error import DocumentError

_SCALARS = (
    ("tag:yaml.org,2002:null", re.compile(r"^(?:null|Null|NULL|~|)$"), ["n", "N", "~", ""]),
    ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"),
        list("-+0123456789"),
    ),
)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - PyYAML's own form

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise DocumentError(f"line {line}: aliases (*{event.anchor}) are not read")
        if event.tag is not None:
            raise DocumentError(f"line {line}: tags ({event.tag}) are not read")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise DocumentError(f"line {line}: a field's name must be a text; put it in quotes")
            if key in found:
                raise DocumentError(f"line {line}: {key!r} stands there twice")
            found[key] = self.construct_object(value_node, deep=deep)
        return found


for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, _pattern, _first)


def parse_yaml(text: str) -> Any:
    """What the text holds: mappings by text, lists, texts, numbers, booleans, null. Raises DocumentError."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise DocumentError(f"{where}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise DocumentError(str(error).splitlines()[0]) from None
