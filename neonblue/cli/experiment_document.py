"""An experiment as people write it in a file."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from neonblue.cli.document import Document

_PLAIN = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)
_YAML_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_PERCENTAGE = re.compile(r"^(\d{1,3}(?:\.\d{1,2})?)\s*%$")
_WHOLE = Decimal(100)

_EXAMPLE = """\
# An experiment, for `neonblue experiment create -f KEY.yaml`. Every field: http://localhost:8000/docs.
key: VALUE
name: A shorter checkout
hypothesis: Fewer fields make more people finish
owner: ada
allocation: 20%                 # of traffic; `neonblue experiment ramp KEY 50%` raises it later
variants:
  - key: control
    is_control: true
  - key: short_form             # a weight is 1 where none is given
    payload: {fields: 4}
metrics:
  - key: finished
    type: proportion            # of units with such an event
    event_type: purchase
    aggregation: any
  - key: revenue
    type: mean                  # of each unit's sum of value
    event_type: purchase
    aggregation: sum
    role: guardrail
planned_days: 14
"""


def example_of(key: str) -> str:
    """A small experiment in YAML, of this key."""
    plain = _PLAIN.fullmatch(key) and key.lower() not in _YAML_WORDS
    return _EXAMPLE.replace("VALUE", key if plain else json.dumps(key)).replace("KEY", key)


def basis_points(text: str) -> int | None:
    """A percentage such as 20%, 0.5 % as basis points; None: it is none, or beyond 100 %."""
    found = _PERCENTAGE.match(text.strip())
    if found is None or Decimal(found[1]) > _WHOLE:
        return None
    return int(Decimal(found[1]) * 100)


def for_the_api(document: Document) -> Document:
    """The document with an allocation in percent as the API takes it, in basis points."""
    allocation = document.get("allocation")
    points = basis_points(allocation) if isinstance(allocation, str) else None
    return document if points is None else document | {"allocation": points}
