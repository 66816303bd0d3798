"""What a dashboard is made of, without Grafana's words for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from grafana_foundation_sdk.models import units


class Kind(StrEnum):
    """How a panel shows its rows."""

    NUMBER = "stat"
    LINES = "timeseries"
    BARS = "bars"
    STATES = "state-timeline"
    TABLE = "table"


class Colour(StrEnum):
    """Grafana's names of colours."""

    GOOD = "green"
    CAREFUL = "orange"
    BAD = "red"
    NEUTRAL = "blue"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """PromQL, with Grafana's variables. `legend`: each line's name, `{{label}}` for a label's value."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class ClickHouse:
    """The SQL in ``sql/NAME.sql``, with the macros of Grafana's ClickHouse plugin and the dashboard's variables.

    legend: each line's name, where not the plugin's.
    """

    name: str
    legend: str = ""


Query = Prometheus | ClickHouse


@dataclass(frozen=True, slots=True)
class Step:
    """From this value on the colour is this one; None: from the lowest on."""

    above: float | None
    colour: Colour


ONE_COLOUR = (Step(None, Colour.NEUTRAL),)
"""No number is good or bad by itself."""
NONE_IS_GOOD = (Step(None, Colour.GOOD), Step(1, Colour.BAD))
"""A count of what should not be."""
ONE_IS_GOOD = (Step(None, Colour.BAD), Step(1, Colour.GOOD))
"""1 where something is as it should be."""


@dataclass(frozen=True, slots=True)
class Word:
    """What stands in place of a number."""

    text: str
    colour: Colour


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: the unit of its numbers, another name for it, words in place of numbers."""

    name: str
    unit: str = units.NoUnit
    shown: str = ""
    words: Mapping[float, Word] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture.

    says: what is seen and what to do about it, in plain sentences. alerts: names of those that fire on what is seen
    here; the first one's limit colours the numbers where `steps` does not say otherwise. empty: what is shown where
    there are no rows.
    """

    title: str
    says: str
    queries: tuple[Query, ...]
    kind: Kind = Kind.LINES
    unit: str = units.Short
    width: int = 8
    height: int = 8
    alerts: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    words: Mapping[float, Word] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    decimals: int | None = None
    most: float | None = None
    stacked: bool = False
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels beneath a heading; each line of them is 24 wide."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """What is chosen at the top of a dashboard, by a query."""

    name: str
    label: str
    query: ClickHouse


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. `span`: how far back it looks at first."""

    uid: str
    title: str
    says: str
    span: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    refresh: str = "30s"

    def panels(self) -> Iterator[Panel]:
        for row in self.rows:
            yield from row.panels
