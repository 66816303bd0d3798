"""Events: the rules that take more than one field, and the one form in which an accepted event goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from neonblue.contract.codes import Code
from neonblue.contract.decoding import ItemDecoder
from neonblue.contract.identifiers import canonical_uuid, uuid7, uuid7_milliseconds
from neonblue.contract.instants import EPOCH, format_instant
from neonblue.contract.limits import EVENT_BYTES, SCHEMA_VERSION, VALUE_DECIMAL_PLACES, VALUE_INTEGER_DIGITS
from neonblue.contract.messages import EventMessage, encode_message
from neonblue.contract.requests import DEFAULT_UNIT_TYPE, EventRequest
from neonblue.contract.texts import check_text, count_keys
from neonblue.contract.violation import ContractError, Violation

EXPOSURE = "exposure"

_DAY_MILLISECONDS = 86_400_000
_VALUE_LIMIT = Decimal(10) ** VALUE_INTEGER_DIGITS
_NEGATIVE_ZERO = f"{Decimal('-0'):.{VALUE_DECIMAL_PLACES}f}"
_ENVELOPE_BYTES = 8 * 1024
"""More than the fields beside `properties` can take."""

_encode_properties = msgspec.json.Encoder().encode


class KnownExperiment(Protocol):
    """What the rules ask of an experiment that an event names."""

    @property
    def experiment_id(self) -> int: ...
    @property
    def external(self) -> bool: ...
    @property
    def variant_keys(self) -> frozenset[str]: ...


ExperimentLookup = Callable[[int | str], KnownExperiment | None]
"""An experiment by its id or its key."""


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Times an event may have. Imported history (events of external experiments) reaches back to 1970."""

    now: datetime
    oldest: datetime
    newest: datetime

    @classmethod
    def at(cls, now: datetime, max_age: timedelta, max_ahead: timedelta) -> TimeWindow:
        return cls(now, now - max_age, now + max_ahead)


class Event(Struct, gc=False):
    """An event that broke no rule. `day` (ISO date) is its partition; `properties` is its JSON.

    carried_version: of an exposure that carries an assignment, the configuration's; it is not stored.
    """

    id: str
    day: str
    user_id: str
    unit_type: str
    event_type: str
    timestamp: str
    experiment_id: int | None
    variant_key: str | None
    session_id: str | None
    value: str | None
    properties: bytes | None
    carried_version: int | None = None
    traceparent: str | UnsetType = UNSET

    def message(self, received_at: str) -> bytes:
        """The event as it travels in the outbox."""
        return encode_message(
            EventMessage(
                SCHEMA_VERSION,
                self.id,
                self.user_id,
                self.unit_type,
                self.event_type,
                self.timestamp,
                self.experiment_id,
                self.variant_key,
                self.session_id,
                self.value,
                None if self.properties is None else Raw(self.properties),
                received_at,
                self.traceparent,
            )
        )


def event_decoder() -> ItemDecoder[EventRequest]:
    """Reads the bodies of `POST /v1/events`."""
    return ItemDecoder(EventRequest, _inspect)


def accept(request: EventRequest, window: TimeWindow, experiments: ExperimentLookup) -> Event | Violation:
    """The event in its final form, or the rule it broke. Its `variant_key` is still the client's."""
    try:
        return _accept(request, window, experiments)
    except ContractError as error:
        return error.violation


def uuid7_of_now() -> tuple[str, str]:
    """A new event's id and the day of its partition."""
    milliseconds = time.time_ns() // 1_000_000
    return uuid7(milliseconds), _day(milliseconds // _DAY_MILLISECONDS)


def format_value(value: Decimal) -> str:
    """Six places after the point, half to even. Raises ContractError beyond twelve digits before it."""
    if value.is_finite() and -_VALUE_LIMIT < value < _VALUE_LIMIT:
        text = f"{value:.{VALUE_DECIMAL_PLACES}f}"
        if len(text) <= VALUE_INTEGER_DIGITS + VALUE_DECIMAL_PLACES + 1 + (text[0] == "-"):
            return text if text != _NEGATIVE_ZERO else text[1:]
    raise ContractError(
        Code.VALUE_OUT_OF_RANGE,
        f"must be a number of at most {VALUE_INTEGER_DIGITS} digits before the point",
        "value",
    )


def _inspect(request: EventRequest, texts: bool) -> int:
    if texts:
        _check_texts(request)
    keys = (
        2
        + (request.id is not None)
        + (request.timestamp is not None)
        + (request.unit_type is not None)
        + (request.experiment_id is not None)
        + (request.experiment is not None)
        + (request.variant_key is not None)
        + (request.session_id is not None)
        + (request.value is not None)
        + (request.configuration_version is not None)
    )
    if request.properties is not None:
        keys += 1 + count_keys(request.properties, "properties", texts=texts)
    return keys


def _check_texts(request: EventRequest) -> None:
    for field in ("user_id", "event_type", "id", "unit_type", "experiment", "variant_key", "session_id"):
        text = getattr(request, field)
        if text is not None:
            check_text(text, field)


def _accept(request: EventRequest, window: TimeWindow, experiments: ExperimentLookup) -> Event:
    experiment = None
    if request.experiment_id is not None or request.experiment is not None:
        experiment = _experiment_of(request, experiments)
    oldest = window.oldest if experiment is None or not experiment.external else EPOCH
    timestamp = request.timestamp
    if timestamp is not None:
        _check_instant(timestamp, oldest, window.newest, "timestamp")
    identifier, day, timestamp = _identify(request.id, timestamp, oldest, window)
    properties = request.properties
    event = Event(
        identifier,
        day,
        request.user_id,
        request.unit_type or DEFAULT_UNIT_TYPE,
        request.event_type,
        format_instant(timestamp),
        None if experiment is None else experiment.experiment_id,
        request.variant_key,
        request.session_id,
        None if request.value is None else format_value(request.value),
        None if properties is None else _encode_properties(properties),
        _carried_version(request, experiment),
    )
    if event.properties is not None and len(event.properties) > EVENT_BYTES - _ENVELOPE_BYTES:
        _check_size(event)
    return event


def _identify(
    given: str | None, timestamp: datetime | None, oldest: datetime, window: TimeWindow
) -> tuple[str, str, datetime]:
    """The event's id, the day of its partition, and its time."""
    if given is None:
        return *uuid7_of_now(), timestamp or window.now
    identifier = canonical_uuid(given)
    if identifier is None:
        raise ContractError(Code.INVALID_UUID, "must be a UUID", "id")
    carried = uuid7_milliseconds(identifier)
    if carried is None:
        if timestamp is None:
            raise ContractError(
                Code.TIMESTAMP_REQUIRED, "is required with an id that is no UUID of version 7", "timestamp"
            )
        return identifier, timestamp.astimezone(UTC).date().isoformat(), timestamp
    instant = _check_carried(carried, oldest, window.newest)
    return identifier, _day(carried // _DAY_MILLISECONDS), timestamp or instant


def _check_carried(milliseconds: int, oldest: datetime, newest: datetime) -> datetime:
    try:
        instant = EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        instant = datetime.max.replace(tzinfo=UTC)
    _check_instant(instant, oldest, newest, "id")
    return instant


def _check_instant(instant: datetime, oldest: datetime, newest: datetime, field: str) -> None:
    if instant < oldest:
        raise ContractError(Code.TOO_OLD, f"must not be before {format_instant(oldest)}", field)
    if instant > newest:
        raise ContractError(Code.IN_FUTURE, f"must not be after {format_instant(newest)}", field)


def _experiment_of(request: EventRequest, experiments: ExperimentLookup) -> KnownExperiment:
    by_key = request.experiment_id is None
    name = request.experiment if request.experiment_id is None else request.experiment_id
    field = "experiment" if by_key else "experiment_id"
    experiment = experiments(name) if name is not None else None
    if experiment is None:
        raise ContractError(Code.UNKNOWN_EXPERIMENT, "there is no such experiment", field)
    if not by_key and request.experiment is not None and experiments(request.experiment) is not experiment:
        raise ContractError(
            Code.EXPERIMENT_MISMATCH, "names another experiment than experiment_id", "experiment"
        )
    if request.variant_key is not None and request.variant_key not in experiment.variant_keys:
        raise ContractError(Code.UNKNOWN_VARIANT, "the experiment has no such variant", "variant_key")
    return experiment


def _carried_version(request: EventRequest, experiment: KnownExperiment | None) -> int | None:
    """The configuration version of the assignment that an exposure carries."""
    version = request.configuration_version
    if version is None:
        return None
    if request.event_type != EXPOSURE or experiment is None or experiment.external:
        raise ContractError(
            Code.EXPOSURE_ONLY, "belongs to exposures to this product's experiments", "configuration_version"
        )
    if request.variant_key is None:
        raise ContractError(Code.VARIANT_REQUIRED, "is required with configuration_version", "variant_key")
    return version


def _check_size(event: Event) -> None:
    if len(event.message(event.timestamp)) > EVENT_BYTES:
        raise ContractError(Code.TOO_LARGE, f"an event holds at most {EVENT_BYTES} bytes", "properties")


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()
