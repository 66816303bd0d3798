"""Functions made once of the names of a struct's fields, for what is done to every event.

What follows from the list of fields is written down nowhere else; a loop over the list would take three times as long
as the written-out form, which this makes, as the standard library's dataclasses do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def compiled(parameters: str, expression: str, names: Mapping[str, object] | None = None) -> Any:
    """`lambda parameters: expression`, in which `names` are known. Made of names in the code, never of what is sent."""
    return eval(f"lambda {parameters}: {expression}", dict(names or {}))  # noqa: S307
