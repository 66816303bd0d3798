"""Calls that are summed up: reads of lists and results, and refused calls, as one entry for many.

Each kind of call is counted in memory until it is taken to be written. However many callers there are, the kinds
are few: what finds no place of its own is counted among the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

OTHERS = "others"
"""In place of the route, and of the caller, of what found no place of its own."""
UNKNOWN = "unknown"
"""The actor of a call without a token that is, or was, one of ours."""

_KINDS_OF_TOKENS = 600
_KINDS_OF_A_TOKEN = 40
_KINDS_OF_UNKNOWN = 60
"""Apart, so that strangers can't push out what is written of known callers."""


class Action(StrEnum):
    """What the entries of summed up calls are called."""

    READ_CALLS = "read_calls"
    REFUSED_CALLS = "refused_calls"
    REFUSED_LOG_INS = "refused_log_ins"


@dataclass(frozen=True, slots=True)
class Kind:
    """Calls that share an entry.

    token: the number of the callers', None for those that we don't know. address: of one without a token; callers with
    a publishable one come from everywhere, so a token's calls share an entry. code: of the refusal. of_tokens: calls of
    many tokens.
    """

    action: Action
    route: str
    token: int | None = None
    of_tokens: bool = False
    address: str | None = None
    status: int | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many calls, the first and the last, and the address if it was the same of all."""

    calls: int
    first: datetime
    last: datetime
    address: str | None

    def plus(self, other: Count) -> Count:
        return Count(
            self.calls + other.calls,
            min(self.first, other.first),
            max(self.last, other.last),
            self.address if self.address == other.address else None,
        )


class Summary:
    """Counts calls by their kind, of so many kinds at most."""

    def __init__(self) -> None:
        self._counts: dict[Kind, Count] = {}
        self._of_token: Counter[int | None] = Counter()

    @property
    def calls(self) -> int:
        """How many wait to be written."""
        return sum(count.calls for count in self._counts.values())

    def add(self, kind: Kind, at: datetime, address: str | None) -> None:
        """Count one call."""
        kept = kind if kind.token is not None else replace(kind, address=address)
        self._add(kept, Count(1, at, at, address))

    def take(self) -> list[tuple[Kind, Count]]:
        """What was counted, in the order of its first call; counting begins anew."""
        taken = sorted(self._counts.items(), key=lambda item: item[1].first)
        self._counts, self._of_token = {}, Counter()
        return taken

    def put_back(self, taken: Iterable[tuple[Kind, Count]]) -> None:
        """What could not be written waits for the next time."""
        for kind, count in taken:
            self._add(kind, count)

    def _add(self, kind: Kind, count: Count) -> None:
        place = self._place(kind)
        held = self._counts.get(place)
        if held is None:
            self._of_token[place.token] += not _is_last_resort(place)
        self._counts[place] = count if held is None else held.plus(count)

    def _place(self, kind: Kind) -> Kind:
        """The kind, or the others that it is counted among where it is new and its caller has too many."""
        if kind in self._counts or _is_last_resort(kind):
            return kind
        if kind.token is None:
            full = self._of_token[None] >= _KINDS_OF_UNKNOWN
            return Kind(kind.action, OTHERS, status=kind.status) if full else kind
        if self._of_token.total() - self._of_token[None] >= _KINDS_OF_TOKENS:
            return Kind(kind.action, OTHERS, of_tokens=True)
        if self._of_token[kind.token] >= _KINDS_OF_A_TOKEN:
            return Kind(kind.action, OTHERS, kind.token)
        return kind


def _is_last_resort(kind: Kind) -> bool:
    return kind.route == OTHERS
