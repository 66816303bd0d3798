"""What travels in an outbox row's payload, and so on the topic. Times and decimals are exact texts."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from neonblue.contract.limits import SCHEMA_VERSION


class EventMessage(Struct, frozen=True, gc=False):
    """One event. `value` is a decimal text with six places.

    `properties`: an object or null; for encoding also a `msgspec.Raw` that holds the object's JSON.
    """

    schema_version: int
    id: str
    user_id: str
    unit_type: str
    event_type: str
    timestamp: str
    experiment_id: int | None
    variant_key: str | None
    session_id: str | None
    value: str | None
    properties: Any
    received_at: str


class AssignmentMessage(Struct, frozen=True, kw_only=True):
    """A unit's variant, with the version of the configuration it entered under."""

    schema_version: int = SCHEMA_VERSION
    experiment_id: int
    unit_type: str
    user_id: str
    variant_key: str
    version: int
    assigned_at: str
    attributes: dict[str, Any] | None
    received_at: str


class VariantMessage(Struct, frozen=True, kw_only=True):
    """One arm. Weights are relative to each other."""

    key: str
    name: str | None = None
    weight: int
    is_control: bool = False


class MetricMessage(Struct, frozen=True, kw_only=True):
    """What is measured on each unit. `window_seconds` counts from first exposure; `cap` is a decimal text."""

    key: str
    version: int = 1
    type: str
    role: str = "primary"
    direction: str = "increase"
    event_type: str
    property_filter: dict[str, str] | None = None
    aggregation: str
    window_seconds: int | None = None
    cap: str | None = None


class ExperimentMessage(Struct, frozen=True, kw_only=True):
    """The whole state of an experiment at one version."""

    schema_version: int = SCHEMA_VERSION
    experiment_id: int
    key: str
    name: str | None = None
    source: str
    unit_type: str
    population: str
    status: str
    version: int
    salt: str
    allocation: int
    variants: list[VariantMessage]
    metrics: list[MetricMessage]
    started_at: str | None = None
    concluded_at: str | None = None
    received_at: str


class ErasureMessage(Struct, frozen=True, kw_only=True):
    """A person's data received before `erased_at` is to be dropped."""

    schema_version: int = SCHEMA_VERSION
    unit_type: str
    user_id: str
    erased_at: str
    received_at: str


encode_message = msgspec.json.Encoder().encode
