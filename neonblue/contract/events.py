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
from msgspec import UNSET, Raw, UnsetType

from neonblue.contract.clocks import Clock
from neonblue.contract.codes import Code
from neonblue.contract.columns import Column, columns_of
from neonblue.contract.compiled import compiled
from neonblue.contract.decoding import ItemDecoder
from neonblue.contract.identifiers import canonical_uuid, uuid7, uuid7_milliseconds
from neonblue.contract.instants import EPOCH, format_instant
from neonblue.contract.limits import EVENT_BYTES, SCHEMA_VERSION, VALUE_DECIMAL_PLACES, VALUE_INTEGER_DIGITS
from neonblue.contract.messages import EventFacts, EventMessage, encode_message
from neonblue.contract.requests import DEFAULT_UNIT_TYPE, EventRequest
from neonblue.contract.violation import ContractError, Violation

EXPOSURE = "exposure"

_MICROSECOND = timedelta(microseconds=1)
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

    def on_a_clock(self, offset: timedelta) -> TimeWindow:
        """The same as a clock shows it to which `offset` must be added."""
        return TimeWindow(self.now - offset, self.oldest - offset, self.newest - offset)


class Event(EventFacts, gc=False, kw_only=True):
    """An event that broke no rule. `day` (ISO date) is its partition.

    carried_version: of an exposure that carries an assignment, the configuration's; it is not stored.
    """

    day: str
    carried_version: int | None = None
    traceparent: str | UnsetType = UNSET

    def message(self, received_at: str) -> bytes:
        """The event as it travels in the outbox."""
        return encode_message(_message_of(self, received_at))


EVENT_COLUMNS = (Column("day", "date", optional=False, compared=""), *columns_of(EventFacts))
"""The columns of a stored event beside `received_at`. Day and id, the first two, are its key."""

_message_of: Callable[[Event, str], EventMessage] = compiled(
    "event, received_at",
    f"EventMessage({', '.join(f'event.{name}' for name in EventFacts.__struct_fields__)}, "
    "schema_version=SCHEMA_VERSION, received_at=received_at, traceparent=event.traceparent)",
    {"EventMessage": EventMessage, "SCHEMA_VERSION": SCHEMA_VERSION},
)


def event_decoder() -> ItemDecoder[EventRequest]:
    """Reads the bodies of `POST /v1/events`."""
    return ItemDecoder(EventRequest)


def accept(
    request: EventRequest, window: TimeWindow, experiments: ExperimentLookup, clock: Clock | None = None
) -> Event | Violation:
    """The event in its final form, or the rule it broke. Its `variant_key` is still the client's.

    clock: the client's at the request. Times are corrected by it and must then lie in the window; save those of
    imported history (events of external experiments), which were stamped elsewhere.
    """
    try:
        return _accept(request, window, experiments, clock)
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


def _accept(
    request: EventRequest, window: TimeWindow, experiments: ExperimentLookup, clock: Clock | None
) -> Event:
    experiment = None
    if request.experiment_id is not None or request.experiment is not None:
        experiment = _experiment_of(request, experiments)
    imported = experiment is not None and experiment.external
    # What the API stamps itself, and history from elsewhere, says nothing of the clock of who sends it.
    stamped_here = request.id is None and request.timestamp is None
    measured = None if imported or stamped_here else clock
    offset = None if measured is None else measured.offset
    if offset:
        window = window.on_a_clock(offset)
    oldest = EPOCH if imported else window.oldest
    timestamp = request.timestamp
    if timestamp is not None:
        _check_instant(timestamp, oldest, window.newest, "timestamp")
    identifier, day, timestamp = _identify(request.id, timestamp, oldest, window)
    properties = request.properties
    event = Event(
        id=identifier,
        day=day,
        user_id=request.user_id,
        unit_type=request.unit_type or DEFAULT_UNIT_TYPE,
        event_type=request.event_type,
        timestamp=format_instant(timestamp + offset if offset else timestamp),
        experiment_id=None if experiment is None else experiment.experiment_id,
        variant_key=request.variant_key,
        session_id=request.session_id,
        app_version=request.app_version,
        value=None if request.value is None else format_value(request.value),
        properties=None if properties is None else Raw(encoded := _encode_properties(properties)),
        sent_at=None if measured is None else measured.sent_at,
        clock_offset=None if offset is None else offset // _MICROSECOND,
        carried_version=_carried_version(request, experiment),
    )
    if properties is not None and len(encoded) > EVENT_BYTES - _ENVELOPE_BYTES:
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
