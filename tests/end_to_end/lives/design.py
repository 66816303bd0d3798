"""The forty lives: what each holds, and which steps its owner takes in which phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]

DAY = 86_400
CONTROL = "control"
PHASES = (0, 1, 2)


def _metric(kind: str, event: str, aggregation: str, **fields: Any) -> Json:
    return {"type": kind, "event_type": event, "aggregation": aggregation, **fields}


_STARTS = {"soon": timedelta(seconds=5), "in a month": timedelta(days=30)}
_CHECKOUT = {"property_filter": {"page": "/checkout"}}

METRICS: Mapping[str, Json] = {
    "bought": _metric("proportion", "purchase", "any"),
    "bought_1d": _metric("proportion", "purchase", "any", window_seconds=DAY),
    "bought_app": _metric("proportion", "purchase", "any", property_filter={"page": "/a", "from": "app"}),
    "rare": _metric("proportion", "cancel", "any", role="secondary", direction="decrease"),
    "returned": _metric("retention", "page_view", "any", window_start_seconds=DAY, window_seconds=3 * DAY),
    "revenue": _metric("mean", "purchase", "sum"),
    "revenue_plain": _metric("mean", "purchase", "sum", cuped=False, role="secondary"),
    "revenue_3d": _metric("mean", "purchase", "sum", window_seconds=3 * DAY, cap="60"),
    "revenue_late": _metric("mean", "purchase", "sum", window_start_seconds=7200, role="secondary"),
    "revenue_p95": _metric("mean", "purchase", "sum", cap_percentile="0.95", cuped=False),
    "revenue_1d_p90": _metric("mean", "purchase", "sum", cap_percentile="0.9", window_seconds=DAY),
    "refunds": _metric("mean", "refund", "sum", role="secondary", direction="decrease", cuped=False),
    "views": _metric("count", "page_view", "count"),
    "views_1d": _metric("count", "page_view", "count", window_seconds=DAY, cap_percentile="0.99"),
    "checkouts": _metric("mean", "page_view", "count", cap="2", **_CHECKOUT, role="secondary"),
    "order_value": _metric(
        "ratio", "purchase", "sum", denominator={"event_type": "purchase", "aggregation": "count"}
    ),
    "buys_per_view_3d": _metric(
        "ratio",
        "purchase",
        "count",
        denominator={"event_type": "page_view", "aggregation": "count", **_CHECKOUT},
        window_seconds=3 * DAY,
    ),
    "wait_p90": _metric("quantile", "wait", "sum", quantile="0.9", direction="decrease", missing="exclude"),
    "wait_median_1d": _metric(
        "quantile", "wait", "sum", quantile="0.5", window_seconds=DAY, role="secondary"
    ),
    "views_p75": _metric("quantile", "page_view", "count", quantile="0.75", role="secondary"),
    "rating": _metric("mean", "rating", "sum", missing="exclude", role="secondary"),
    "rating_3d": _metric("mean", "rating", "sum", missing="exclude", window_seconds=3 * DAY, cuped=False),
    "errors": _metric(
        "proportion",
        "error",
        "any",
        role="guardrail",
        direction="decrease",
        margin="0.9",
        margin_relative=False,
    ),
    "slow_1d": _metric(
        "mean", "wait", "sum", role="guardrail", direction="decrease", margin="3", window_seconds=DAY
    ),
}
"""Every kind of metric by key: with and without a window, a cap, a filter, a covariate, missing values."""


@dataclass(frozen=True, slots=True)
class Life:
    """One experiment from its draft on.

    weights: by arm, control's first. acts: steps at the begin of each phase, before its units come, such as `start`,
    `ramp 5000`, `drop b`, `ship b`. units: that are tried over all phases. attributes: whether units say theirs.
    """

    key: str
    holds: str
    weights: Mapping[str, int]
    metrics: tuple[str, ...]
    acts: tuple[tuple[str, ...], ...] = (("start",), (), ())
    ends: str = "running"
    units: int = 160
    fields: Json = field(default_factory=dict)
    attributes: bool = False

    @property
    def arms(self) -> tuple[str, ...]:
        """Control first."""
        return tuple(self.weights)

    @property
    def external(self) -> bool:
        return self.fields.get("source") == "external"

    @property
    def unit_type(self) -> str:
        return str(self.fields.get("unit_type", "user"))

    @property
    def assigned_count(self) -> bool:
        """Whether who was assigned is analysed, exposed or not."""
        return self.fields.get("population") == "assigned"

    def definitions(self) -> list[Json]:
        """The metrics as they are sent."""
        return [{"key": key, **METRICS[key]} for key in self.metrics]

    def draft(self, now: datetime) -> Json:
        """The experiment as it is created; its salt follows from its key, so that units always get the same arm."""
        variants = [
            {"key": arm, "weight": weight, "is_control": arm == CONTROL}
            for arm, weight in self.weights.items()
        ]
        made = {
            "key": self.key,
            "variants": variants,
            "metrics": self.definitions(),
            "salt": f"salt-of-{self.key}",
            **self.fields,
        }
        starts = self.fields.get("scheduled_start_at")
        return made if starts is None else made | {"scheduled_start_at": (now + _STARTS[starts]).isoformat()}


def _arms(*weights: int) -> dict[str, int]:
    return dict(zip((CONTROL, *"bcdefg"), weights, strict=False))


_NOTHING: tuple[str, ...] = ()
_START = ("start",)
_EXTERNAL = {"source": "external"}
_ALL = ("bought", "revenue", "views", "order_value", "wait_p90")

LIVES = (
    Life("plain", "two arms, no window", _arms(1, 1), ("bought", "revenue", "views")),
    Life(
        "windows", "windows of 1 and 3 days", _arms(1, 1), ("bought_1d", "revenue_3d", "views_1d", "returned")
    ),
    Life("three", "three arms", _arms(1, 1, 1), _ALL, units=240),
    Life(
        "four", "four arms, ties in quantiles", _arms(1, 1, 1, 1), ("views_p75", "rating", "rare"), units=240
    ),
    Life("five", "five arms of other weights", _arms(5, 4, 3, 2, 1), ("bought", "revenue_1d_p90"), units=300),
    Life("six", "six arms", _arms(1, 1, 1, 1, 1, 1), ("buys_per_view_3d", "views_1d"), units=300),
    Life("seven", "seven arms", _arms(1, 1, 1, 1, 1, 1, 1), _ALL, units=350),
    Life("nine-to-one", "weights of 9:1", _arms(9, 1), ("bought", "revenue_p95", "order_value"), units=300),
    Life("rare-19", "weights of 95:5, rare outcomes", _arms(95, 5), ("rare", "revenue", "errors"), units=400),
    Life("rare-99", "weights of 99:1", _arms(99, 1), ("bought", "wait_median_1d", "slow_1d"), units=400),
    Life(
        "segmented",
        "attributes, segments",
        _arms(1, 1),
        ("bought", "revenue", "views_1d"),
        units=300,
        attributes=True,
    ),
    Life(
        "targeted",
        "targeting by an attribute, segments",
        _arms(1, 1, 1),
        ("bought_1d", "revenue_3d", "order_value", "wait_p90"),
        units=300,
        attributes=True,
        fields={"targeting": "attributes.country == 'DE' || attributes.paying"},
    ),
    Life(
        "ramped",
        "allocation of 20, 60, 100 %",
        _arms(1, 1),
        ("bought", "revenue_3d", "returned"),
        acts=(_START, ("ramp 6000",), ("ramp 10000",)),
        units=300,
        fields={"allocation": 2000},
    ),
    Life(
        "ramped-9",
        "9:1, allocation of 50, 75 %, segments",
        _arms(9, 1),
        ("bought", "views", "rating_3d"),
        acts=(_START, ("ramp 7500",), _NOTHING),
        units=400,
        attributes=True,
        fields={"allocation": 5000},
    ),
    Life(
        "dropped",
        "c is dropped after the first phase",
        _arms(1, 1, 1),
        ("bought", "revenue_plain", "wait_p90", "buys_per_view_3d"),
        acts=(_START, ("drop c",), _NOTHING),
        units=300,
    ),
    Life(
        "dropped-2",
        "c and d are dropped one after the other, segments",
        _arms(2, 1, 1, 1),
        ("bought_1d", "revenue", "rating", "views_p75"),
        acts=(_START, ("drop d",), ("drop c",)),
        units=350,
        attributes=True,
    ),
    Life(
        "paused",
        "paused after the first phase",
        _arms(1, 1),
        ("bought", "bought_1d", "revenue_3d"),
        acts=(_START, ("pause",), _NOTHING),
        ends="paused",
    ),
    Life(
        "resumed",
        "paused, and resumed a phase later",
        _arms(1, 1),
        ("bought_1d", "revenue_3d", "views", "buys_per_view_3d", "wait_median_1d"),
        acts=(_START, ("pause",), ("resume",)),
        units=240,
    ),
    Life(
        "twice-paused",
        "paused and resumed at once, twice",
        _arms(1, 1, 1),
        ("bought_1d", "rating_3d"),
        acts=(_START, ("pause", "resume"), ("pause", "resume")),
    ),
    Life(
        "shipped",
        "concluded at the end, b shipped",
        _arms(1, 1),
        ("bought", "revenue_3d", "errors"),
        acts=(_START, _NOTHING, ("ship b",)),
        ends="concluded",
    ),
    Life(
        "shipped-early",
        "concluded after the first phase, b shipped",
        _arms(1, 1, 1),
        ("bought_1d", "revenue", "slow_1d"),
        acts=(_START, ("ship b",), _NOTHING),
        ends="concluded",
    ),
    Life(
        "rolled-back",
        "paused, then concluded, rolled back",
        _arms(1, 1),
        ("bought_1d", "rare", "revenue_3d"),
        acts=(_START, ("pause",), ("roll_back",)),
        ends="concluded",
    ),
    Life(
        "inconclusive",
        "a planned size, concluded without a winner",
        _arms(1, 1),
        ("bought", "revenue_3d", "views_1d"),
        acts=(_START, _NOTHING, ("inconclusive",)),
        ends="concluded",
        units=300,
        fields={"planned_units": 200, "planned_days": 14},
    ),
    Life(
        "decided-later",
        "concluded, decided a phase later",
        _arms(1, 1),
        ("bought", "order_value"),
        acts=(_START, ("conclude",), ("decide ship b",)),
        ends="concluded",
    ),
    Life(
        "archived",
        "concluded and archived",
        _arms(1, 1),
        ("bought_1d", "revenue", "rating"),
        acts=(_START, ("ship b",), ("archive",)),
        ends="archived",
    ),
    Life("draft", "a draft that stays one", _arms(1, 1), ("bought",), acts=(_NOTHING,) * 3, ends="draft"),
    Life(
        "unscheduled",
        "scheduled, then a draft again",
        _arms(1, 1),
        ("bought",),
        acts=(("schedule",), ("unschedule",), _NOTHING),
        ends="draft",
        fields={"scheduled_start_at": "in a month"},
    ),
    Life(
        "scheduled",
        "scheduled for later",
        _arms(1, 1),
        ("bought",),
        acts=(("schedule",), _NOTHING, _NOTHING),
        ends="scheduled",
        fields={"scheduled_start_at": "in a month"},
    ),
    Life(
        "started-late",
        "scheduled, started by hand in the second phase",
        _arms(1, 1),
        ("bought_1d", "revenue", "wait_p90"),
        acts=(("schedule",), _START, _NOTHING),
        units=400,
        fields={"scheduled_start_at": "in a month"},
    ),
    Life(
        "due",
        "scheduled, started as its time comes",
        _arms(1, 1),
        ("bought", "revenue_late", "checkouts"),
        acts=(("schedule", "due"), _NOTHING, _NOTHING),
        fields={"scheduled_start_at": "soon"},
    ),
    Life("nobody", "no unit comes", _arms(1, 1), ("bought", "revenue_3d"), units=0),
    Life(
        "planned",
        "a planned size that is overrun",
        _arms(1, 1),
        _ALL,
        units=400,
        fields={"planned_units": 150},
    ),
    Life("missing", "values that are missing", _arms(1, 1), ("rating", "rating_3d", "wait_p90"), units=300),
    Life(
        "signed", "values below zero, caps", _arms(1, 1), ("refunds", "checkouts", "revenue_p95", "views_1d")
    ),
    Life(
        "filtered",
        "filters",
        _arms(1, 1, 1),
        ("bought_app", "checkouts", "buys_per_view_3d"),
        attributes=True,
    ),
    Life(
        "assigned",
        "who was assigned counts, exposed or not",
        _arms(1, 1),
        ("bought", "revenue_late", "views"),
        units=240,
        fields={"population": "assigned"},
        attributes=True,
    ),
    Life(
        "devices",
        "units are devices",
        _arms(1, 1),
        ("bought", "revenue_3d", "views_p75"),
        units=190,
        fields={"unit_type": "device"},
    ),
    Life(
        "imported",
        "collected elsewhere, two arms",
        _arms(1, 1),
        ("bought", "revenue_plain", "revenue_3d", "views_p75", "rating"),
        units=300,
        fields=_EXTERNAL,
        attributes=True,
    ),
    Life(
        "imported-4",
        "collected elsewhere, 4:2:1:1, concluded",
        _arms(4, 2, 1, 1),
        ("bought_1d", "order_value", "wait_median_1d", "refunds"),
        acts=(_START, _NOTHING, ("inconclusive",)),
        ends="concluded",
        units=300,
        fields=_EXTERNAL,
    ),
    Life(
        "imported-all",
        "collected elsewhere, who was assigned counts",
        _arms(3, 1),
        ("bought", "revenue_p95", "returned"),
        units=240,
        fields={**_EXTERNAL, "population": "assigned"},
    ),
)
"""Forty of them."""
