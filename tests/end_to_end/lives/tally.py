"""How many values were compared of each life, and which differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_RELATIVE = 1e-9


@dataclass(slots=True)
class Tally:
    """compared: values by life; by_place: by where they stand; wrong: those that differ, in words."""

    compared: Counter[str] = field(default_factory=Counter)
    by_place: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def hold(self, life: str, place: str, said: Any, expected: Any) -> None:
        """Compare one value, or a row of them."""
        if isinstance(expected, tuple) and isinstance(said, tuple) and len(said) == len(expected):
            for n, (one, other) in enumerate(zip(said, expected, strict=True)):
                self._hold(life, f"{place} [{n}]", one, other)
        else:
            self._hold(life, place, said, expected)

    def hold_all(self, life: str, place: str, said: Mapping[Any, Any], expected: Mapping[Any, Any]) -> None:
        """Compare rows by their keys; one that is missing on a side differs."""
        for key in sorted(said.keys() | expected.keys(), key=str):
            self.hold(life, f"{place} {words(key)}", said.get(key, "no row"), expected.get(key, "no row"))

    def _hold(self, life: str, place: str, said: Any, expected: Any) -> None:
        self.compared[life] += 1
        self.by_place[place.split(" ", 1)[0]] += 1
        if not _equal(said, expected):
            self.wrong.append(f"{life}: {place}: {said!r} is said, {expected!r} expected")


def _equal(said: Any, expected: Any) -> bool:
    if isinstance(said, float) or isinstance(expected, float):
        if said is None or expected is None or isinstance(said, str) or isinstance(expected, str):
            return said is expected
        return math.isclose(float(said), float(expected), rel_tol=_RELATIVE, abs_tol=_RELATIVE)
    return bool(said == expected)


def words(key: Any) -> str:
    """A row's key in one line."""
    return " · ".join(map(str, key)) if isinstance(key, tuple) else str(key)
