"""What the read-only user may use of the engine: lists of names, one a line, in the files beside this one.

A name that is in no list is refused, also one that only a later engine has. ``python -m
neonblue.clickhouse_server.rights`` makes the lists anew by `reviewed.toml` and the installed engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

KINDS = ("settings", "formats", "functions", "table_functions", "system_tables")
# A longer one first: what ends with OrNull ends with Null as well.
_COMBINATORS = (
    "simplestate", "ordefault", "distinct", "resample", "foreach", "argmax", "argmin", "ornull", "array", "merge",
    "state", "null", "map", "if",
)  # fmt: skip
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class Rights:
    """The names that a reader may use.

    Settings and formats are as the engine writes them; functions, table functions and system tables in lower case.
    `aggregates` are those of the functions that take combinators (``sumIf``).
    """

    settings: frozenset[str]
    formats: frozenset[str]
    functions: frozenset[str]
    aggregates: frozenset[str]
    table_functions: frozenset[str]
    system_tables: frozenset[str]

    def may_call(self, name: str) -> bool:
        """Whether a function or table function of this name may be called, combinators included."""
        lower = name.lower()
        return lower in self.functions or lower in self.table_functions or self._combined(lower)

    def _combined(self, lower: str) -> bool:
        if len(lower) > _LONGEST:
            return False
        rest = lower
        while rest not in self.aggregates:
            suffix = next((one for one in _COMBINATORS if rest.endswith(one)), None)
            if suffix is None:
                return False
            rest = rest.removesuffix(suffix)
        return True


@cache
def reader() -> Rights:
    """The lists of this version."""
    lists = {kind: _lines(f"{kind}.txt") for kind in (*KINDS, "aggregates")}
    return Rights(**lists)


def _lines(name: str) -> frozenset[str]:
    return frozenset(files(__package__).joinpath(name).read_text(encoding="utf-8").split())
