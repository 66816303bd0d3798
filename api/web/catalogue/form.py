"""The forms of a metric: from texts to what the API takes, and back. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from api.http.problems import Problem
from api.metric_catalogue.schemas import CatalogueMetricOut, MetricOut
from api.web.shared.forms import CHECKED, Filled
from neonblue.contract.metric_types import AGGREGATIONS, DENOMINATOR_AGGREGATIONS, METRIC_TYPES, SUMMED

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "min": 60, "s": 1}
_DURATION = re.compile(r"(?P<number>[0-9]{1,12})\s*(?P<unit>w|d|h|min|s)", re.ASCII)
_OF_METRIC = (
    "type", "event_type", "aggregation", "property_filter", "denominator_event_type", "denominator_aggregation",
    "denominator_filter", "window_start", "window_end", "cap", "cap_percentile", "quantile", "missing", "direction",
    "role", "margin", "margin_relative", "on_breach", "minimum_effect", "cuped",
)  # fmt: skip
_OF_CATALOGUE = ("key", "name", "description", "owner", "tags", "watched")
FIELDS = frozenset((*_OF_CATALOGUE, *_OF_METRIC, "reason"))
RENAMED = {
    "window_start_seconds": "window_start",
    "window_seconds": "window_end",
    "denominator": "denominator_event_type",
    "denominator.event_type": "denominator_event_type",
    "denominator.aggregation": "denominator_aggregation",
    "denominator.property_filter": "denominator_filter",
}
_PLAIN = ("cap", "cap_percentile", "quantile", "margin", "minimum_effect")
_MADE_OF = {"any": "whether there is one", "count": "their number", "sum": "the sum of their values"}

Options = tuple[tuple[str, str], ...]


def _named(values: tuple[str, ...]) -> Options:
    return tuple((value, value.replace("_", " ")) for value in values)


TYPES: Options = _named(tuple(METRIC_TYPES))
CHOICES: Mapping[str, Options] = {
    "type": TYPES,
    "aggregation": tuple((value, _MADE_OF[value]) for value in AGGREGATIONS),
    "denominator_aggregation": (("", "–"), *((value, _MADE_OF[value]) for value in DENOMINATOR_AGGREGATIONS)),
    "missing": (("zero", "count as 0"), ("exclude", "are left out")),
    "direction": (("increase", "more is better"), ("decrease", "less is better")),
    "role": _named(("primary", "secondary", "guardrail")),
    "on_breach": (("", "what the ramp says, else a pause"), *_named(("alert", "pause", "roll_back"))),
    "cuped": (("", "wherever the type allows it"), ("yes", "yes"), ("no", "no")),
}
"""What each list offers."""
NEW = Filled(
    {
        "type": "proportion", "aggregation": "any", "window_end": "14 d", "missing": "zero", "direction": "increase",
        "role": "primary", "margin_relative": CHECKED,
    }
)  # fmt: skip
"""The form of a new metric as it opens."""


def definition_of(form: Mapping[str, str]) -> dict[str, Any]:
    """What the metric means, as the API takes it: what can't be read stays a text, which the API refuses.

    Raises Problem 422 for a filter that is no JSON.
    """
    given: dict[str, Any] = {
        name: _text(form, name)
        for name in ("type", "event_type", "aggregation", "missing", "direction", "role")
    }
    given |= {name: text for name in _PLAIN if (text := _text(form, name))}
    if on_breach := _text(form, "on_breach"):
        given["on_breach"] = on_breach
    if start := _text(form, "window_start"):
        given["window_start_seconds"] = _seconds(start)
    if end := _text(form, "window_end"):
        given["window_seconds"] = _seconds(end)
    if (cuped := _text(form, "cuped")) in ("yes", "no"):
        given["cuped"] = cuped == "yes"
    below = {
        "event_type": _text(form, "denominator_event_type"),
        "aggregation": _text(form, "denominator_aggregation"),
        "property_filter": _filter(form, "denominator_filter"),
    }
    if any(below.values()):
        given["denominator"] = below
    return {
        **given,
        "margin_relative": form.get("margin_relative") == CHECKED,
        "property_filter": _filter(form, "property_filter"),
    }


def described_by(form: Mapping[str, str]) -> dict[str, Any]:
    """What is said of the metric, as the API takes it."""
    return {
        **{name: _text(form, name) or None for name in ("name", "description", "owner")},
        "tags": [tag for text in form.get("tags", "").split(",") if (tag := text.strip())],
        "watched": form.get("watched") == CHECKED,
    }


def reason_of(form: Mapping[str, str]) -> str | None:
    """None where the field was left empty."""
    return _text(form, "reason") or None


def version_form(metric: MetricOut) -> Filled:
    """The form of a new version, as the newest is."""
    below = metric.denominator
    given = {
        name: str(getattr(metric, name))
        for name in ("type", "event_type", "aggregation", "missing", "direction", "role")
    }
    given |= {name: value for name in (*_PLAIN, "on_breach") if (value := getattr(metric, name)) is not None}
    if metric.window_start_seconds:
        given["window_start"] = written(metric.window_start_seconds)
    if metric.window_seconds is not None:
        given["window_end"] = written(metric.window_seconds)
    if metric.cuped != (metric.type in SUMMED):
        given["cuped"] = "yes" if metric.cuped else "no"
    if metric.margin_relative:
        given["margin_relative"] = CHECKED
    if metric.property_filter is not None:
        given["property_filter"] = _json(metric.property_filter)
    if below is not None:
        given |= {"denominator_event_type": below.event_type, "denominator_aggregation": below.aggregation}
        if below.property_filter is not None:
            given["denominator_filter"] = _json(below.property_filter)
    return Filled(given)


def description_form(metric: CatalogueMetricOut) -> Filled:
    """The form of what is said of the metric, as it is."""
    given = {name: getattr(metric, name) or "" for name in ("name", "description", "owner")}
    given["tags"] = ", ".join(metric.tags)
    return Filled(given | ({"watched": CHECKED} if metric.watched else {}))


def written(seconds: int) -> str:
    """As the form takes it: `14 d`."""
    unit = next(unit for unit, size in _UNITS.items() if seconds % size == 0 and unit != "w")
    return f"{seconds // _UNITS[unit]} {unit}"


def _seconds(text: str) -> int | str:
    found = _DURATION.fullmatch(text)
    return int(found["number"]) * _UNITS[found["unit"]] if found else text


def _filter(form: Mapping[str, str], name: str) -> dict[str, str] | None:
    text = _text(form, name)
    if not text:
        return None
    try:
        return msgspec.json.decode(text.encode(errors="surrogatepass"), type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = 'must be a JSON object of texts, such as {"page": "checkout"}'
        raise Problem(422, "invalid", message, field=name) from None


def _text(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()


def _json(properties: Mapping[str, str]) -> str:
    return json.dumps(properties, ensure_ascii=False)
