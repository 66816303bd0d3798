"""What stands in the form of an experiment, and the API's body that it says. Pure.

Every input has the name of the field that it fills in, as a problem names it: `variants.0.key`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from api.experiments.answers import ExperimentOut
from api.metric_catalogue.schemas import MetricOut
from neonblue.bucketing import FULL_ALLOCATION

LEAST_ARMS, MOST_ARMS = 2, 100
LEAST_METRICS, MOST_METRICS = 1, 100
LONGEST = 20_000
"""Characters of one input."""
KEPT = "kept"
"""A ramp that is written step by step: the form shows it, and leaves it."""
ACTIVE = "variants.active"
"""Stands for the arms where they may only be dropped."""
_TEXTS = ("name", "hypothesis", "owner", "unit_type", "targeting")
_CHOICES = ("population", "enrolment", "outside")
_NUMBERS = ("planned_days", "planned_units")
_TIMES = ("scheduled_start_at", "scheduled_stop_at")
_OF_METRIC = ("role", "minimum_effect", "margin")
_OVERRIDES = ("version", "role", "minimum_effect", "margin", "margin_relative", "cuped", "on_breach")
TOP = (
    "key", "name", "hypothesis", "owner", "tags", "unit_type", "population", "variants", "allocation", "layer",
    "holdouts", "targeting", "enrolment", "outside", "metrics", "planned_days", "planned_units",
    "scheduled_start_at", "scheduled_stop_at", "ramp",
)  # fmt: skip
"""The body's fields, in the form's order."""


@dataclass(frozen=True, slots=True)
class Form:
    """texts: by the input's name; what is not there is empty. arms, metrics: how many rows stand in the form."""

    texts: Mapping[str, str] = field(default_factory=dict)
    arms: int = LEAST_ARMS
    metrics: int = LEAST_METRICS

    def text(self, name: str) -> str:
        """What stands in the input."""
        return self.texts.get(name, "")

    def part(self, top: str) -> dict[str, str]:
        """The inputs of one of the body's fields that say something."""
        own = {name: text for name, text in self.texts.items() if name.partition(".")[0] == top and text}
        if top == "variants" and self.text("control"):
            own["control"] = self.text("control")
        return own

    def with_row(self, kind: str) -> Form:
        """With a row more of arms or metrics, where there is room."""
        if kind == "arm":
            return replace(self, arms=min(MOST_ARMS, self.arms + 1))
        return replace(self, metrics=min(MOST_METRICS, self.metrics + 1))


@dataclass(frozen=True, slots=True)
class Said:
    """The body that a form says, and what is wrong with the form itself: messages by input.

    places: of each place of the body that is another one in the form, that one.
    """

    body: dict[str, Any]
    errors: Mapping[str, str]
    places: Mapping[str, str]

    def place_of(self, named: str | None) -> str:
        """The input that a problem's field means; empty where it names none."""
        if not named:
            return ""
        top, *rest = named.split(".")
        moved = self.places.get(".".join([top, *rest[:1]]), ".".join([top, *rest[:1]]))
        return ".".join([moved, *rest[1:]])


EMPTY = Form(
    {
        "variants.0.key": "control", "variants.0.weight": "1", "variants.1.key": "treatment", "variants.1.weight": "1",
        "variants.0.active": "yes", "variants.1.active": "yes", "control": "0", "unit_type": "user",
        "population": "exposed", "allocation": "100 %", "enrolment": "open", "outside": "control", "ramp": "none",
    }
)  # fmt: skip
"""What the form of a new experiment begins with: two equal arms, everybody."""


def form_in(fields: Mapping[str, str]) -> Form:
    """The form as it was sent."""
    texts = {
        name: text.replace("\r\n", "\n").strip()[:LONGEST]
        for name, text in fields.items()
        if name.partition(".")[0] in TOP or name == "control"
    }
    return Form(
        texts,
        _rows(fields.get("rows.arms"), LEAST_ARMS, MOST_ARMS),
        _rows(fields.get("rows.metrics"), LEAST_METRICS, MOST_METRICS),
    )


def form_of(experiment: ExperimentOut) -> Form:
    """The form that says the experiment as it stands."""
    texts = {name: getattr(experiment, name) or "" for name in (*_TEXTS, *_CHOICES)}
    texts |= {
        "key": experiment.key,
        "tags": ", ".join(experiment.tags),
        "allocation": percent(experiment.allocation),
        "ramp": "none" if experiment.ramp is None else KEPT,
    }
    texts |= {name: str(getattr(experiment, name) or "") for name in _NUMBERS}
    texts |= {name: _written(getattr(experiment, name)) for name in _TIMES}
    if experiment.layer is not None:
        share = experiment.layer.end - experiment.layer.start
        texts |= {"layer.key": experiment.layer.key, "layer.share": percent(share)}
    texts |= {f"holdouts.{key}": "yes" for key in experiment.holdouts or ()}
    texts["holdouts"] = "" if experiment.holdouts is None else "chosen"
    for row, arm in enumerate(experiment.variants):
        payload = "" if arm.payload is None else json.dumps(arm.payload, ensure_ascii=False)
        own = {"key": arm.key, "name": arm.name or "", "weight": str(arm.weight), "payload": payload}
        texts |= {f"variants.{row}.{name}": text for name, text in own.items()}
        texts[f"variants.{row}.active"] = "yes" if arm.active else ""
        if arm.is_control:
            texts["control"] = str(row)
    for row, metric in enumerate(experiment.metrics):
        texts[f"metrics.{row}.key"] = metric.key
        texts |= {f"metrics.{row}.{name}": str(getattr(metric, name) or "") for name in _OF_METRIC}
    return Form(
        texts,
        max(LEAST_ARMS, len(experiment.variants)),
        max(LEAST_METRICS, len(experiment.metrics)),
    )


def said(form: Form, known: Mapping[str, MetricOut] | None = None) -> Said:
    """What the form says. known: the experiment's metrics by key: what the form does not ask of them stays."""
    body: dict[str, Any] = {"key": form.text("key")}
    errors: dict[str, str] = {}
    places: dict[str, str] = {}
    body |= {name: form.text(name) or None for name in _TEXTS}
    body |= {name: form.text(name) for name in _CHOICES if form.text(name)}
    body["tags"] = [tag for part in form.text("tags").split(",") if (tag := part.strip())]
    body["allocation"] = _share(form, "allocation", errors)
    for name in _NUMBERS:
        body[name] = _whole(form, name, errors)
    for name in _TIMES:
        body[name] = _instant(form.text(name))
    body["layer"] = None
    if form.text("layer.key"):
        body["layer"] = {"key": form.text("layer.key"), "share": _share(form, "layer.share", errors)}
    chosen = [
        name.partition(".")[2] for name, text in form.texts.items() if text and name.startswith("holdouts.")
    ]
    body["holdouts"] = chosen if form.text("holdouts") == "chosen" else None
    if form.text("ramp") != KEPT:
        body["ramp"] = None if form.text("ramp") in ("", "none") else form.text("ramp")
    body["variants"] = list(_arms(form, errors, places))
    body["metrics"] = list(_metrics(form, known or {}, places))
    if body["unit_type"] is None:
        del body["unit_type"]
    return Said(body, errors, places)


def created(form: Form, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body that makes an experiment: what is empty is left out, and a share that its ramp is to say."""
    left_out = (
        {"allocation"} if body.get("ramp") and form.text("allocation") == EMPTY.text("allocation") else set()
    )
    return {name: value for name, value in body.items() if value is not None and name not in left_out}


def changed(before: Form, after: Form, body: Mapping[str, Any]) -> dict[str, Any]:
    """Of the body what the form says otherwise than before."""
    return {name: body[name] for name in TOP if name in body and before.part(name) != after.part(name)}


def completed(before: Form, sent: Form, open_fields: frozenset[str]) -> Form:
    """What was sent, with everything that could not be changed as it was: a browser does not send what is closed."""
    texts = {name: text for name, text in before.texts.items() if not _is_open(name, open_fields)}
    texts |= {name: text for name, text in sent.texts.items() if _is_open(name, open_fields)}
    return Form(texts, max(sent.arms, before.arms), max(sent.metrics, before.metrics))


def merged(seen: Form, typed: Form, current: Form) -> Form:
    """What was typed on a version that is not the current one: where nothing was changed, what is there now."""
    own = {top for top in TOP if seen.part(top) != typed.part(top)}
    texts = {name: text for name, text in current.texts.items() if _body_field(name) not in own}
    texts |= {name: text for name, text in typed.texts.items() if _body_field(name) in own}
    return Form(texts, max(typed.arms, current.arms), max(typed.metrics, current.metrics))


def percent(basis_points: int) -> str:
    """A share as it is written."""
    return f"{basis_points / 100:g} %"


def _is_open(name: str, open_fields: frozenset[str]) -> bool:
    top, _, rest = name.partition(".")
    if ACTIVE in open_fields and top == "variants":
        return rest.endswith(".active")
    return _body_field(name) in open_fields


def _body_field(name: str) -> str:
    return "variants" if name == "control" else name.partition(".")[0]


def _rows(text: str | None, least: int, most: int) -> int:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 3:
        return least
    return max(least, min(most, int(text)))


def _arms(form: Form, errors: dict[str, str], places: dict[str, str]) -> Iterator[dict[str, Any]]:
    place = 0
    for row in range(form.arms):
        own = {name: form.text(f"variants.{row}.{name}") for name in ("key", "name", "weight", "payload")}
        if not (own["key"] or own["name"] or own["payload"]):
            continue
        places[f"variants.{place}"] = f"variants.{row}"
        place += 1
        yield {
            "key": own["key"],
            "name": own["name"] or None,
            "weight": _whole(form, f"variants.{row}.weight", errors) or 1,
            "is_control": form.text("control") == str(row),
            "active": form.text(f"variants.{row}.active") == "yes",
            "payload": _payload(own["payload"], f"variants.{row}.payload", errors),
        }


def _metrics(form: Form, known: Mapping[str, MetricOut], places: dict[str, str]) -> Iterator[dict[str, Any]]:
    place = 0
    for row in range(form.metrics):
        key = form.text(f"metrics.{row}.key")
        if not key:
            continue
        places[f"metrics.{place}"] = f"metrics.{row}"
        place += 1
        used = known.get(key)
        own = {} if used is None else {name: getattr(used, name) for name in _OVERRIDES}
        own |= {name: form.text(f"metrics.{row}.{name}") or None for name in _OF_METRIC}
        yield {"key": key} | {name: value for name, value in own.items() if value is not None}


def _payload(text: str, place: str, errors: dict[str, str]) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        errors[place] = f"is not JSON: {error}"
    return None


def _whole(form: Form, name: str, errors: dict[str, str]) -> int | None:
    text = form.text(name).replace(",", "").replace("\u202f", "").replace(" ", "")
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 17:
        return int(text)
    errors[name] = "must be a whole number"
    return None


def _share(form: Form, name: str, errors: dict[str, str]) -> int | None:
    """In basis points."""
    text = form.text(name).removesuffix("%").strip()
    try:
        points = Decimal(text) * 100 if text else Decimal(-1)
    except InvalidOperation:
        points = Decimal(-1)
    if points.is_finite() and points == points.to_integral_value() and 0 <= points <= FULL_ALLOCATION:
        return int(points)
    errors[name] = "must be a share from 0 to 100 %, with at most two decimal places"
    return None


def _instant(text: str) -> str | None:
    """What a browser's field of a date and a time says is UTC."""
    if not text:
        return None
    return text if text.endswith("Z") or "+" in text else f"{text}:00Z" if len(text) == 16 else f"{text}Z"


def _written(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}"
