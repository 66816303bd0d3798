"""Whether the arms' payloads fit each other: an application reads one type, whichever arm it gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from neonblue.contract.codes import Code
from neonblue.contract.violation import Violation

OWN_DEFAULT = '{"value": null}'
"""The payload that says that the application's own default is meant."""


class Arm(Protocol):
    """What is looked at of an arm."""

    @property
    def key(self) -> str: ...

    @property
    def active(self) -> bool: ...

    @property
    def payload(self) -> dict[str, Any] | None: ...


def refusals(arms: Sequence[Arm]) -> Iterator[Violation]:
    """Each arm whose payload is of another type than that of the first arm that has one.

    A typed read by an SDK fails in one of the two, whose units get the application's default and count as that arm's.
    """
    first: tuple[str, str] | None = None
    for index, arm in _in_use(arms):
        kind = _kind(arm.payload)
        if kind is None:
            continue
        if first is None:
            first = arm.key, kind
        elif kind != first[1]:
            message = (
                f"arm {arm.key} gives {kind}, arm {first[0]} gives {first[1]}: an application reads one type, and the "
                f"other arm would get its default. Give every arm the same type, or {OWN_DEFAULT} to an arm for which "
                "the application's own default is meant"
            )
            yield Violation(Code.PAYLOAD_TYPES, message, f"variants.{index}.payload")


def doubts(arms: Sequence[Arm]) -> Iterator[Violation]:
    """What may be meant, and often is a slip: an arm without a payload beside some with one, and differing fields."""
    yield from _absent(arms)
    yield from _fields(arms)


def _absent(arms: Sequence[Arm]) -> Iterator[Violation]:
    kinds = {kind for _, arm in _in_use(arms) if (kind := _kind(arm.payload)) is not None}
    if not kinds:
        return
    given = " or ".join(sorted(kinds))
    for index, arm in _in_use(arms):
        if arm.payload is None:
            message = (
                f"arm {arm.key} has no payload, so OpenFeature reads its key as a text where other arms give {given}. "
                f"Give it a payload as well, or {OWN_DEFAULT} where the application's own default is meant"
            )
            yield Violation(Code.PAYLOAD_TYPES, message, f"variants.{index}.payload")


def _fields(arms: Sequence[Arm]) -> Iterator[Violation]:
    """Compared with the first arm that gives an object."""
    first: tuple[str, Mapping[str, Any]] | None = None
    for index, arm in _in_use(arms):
        value = value_of(arm.payload)
        if not isinstance(value, dict):
            continue
        if first is None:
            first = arm.key, value
            continue
        names = sorted(first[1].keys() ^ value.keys())
        retyped = sorted(
            name
            for name in first[1].keys() & value.keys()
            if None not in (first[1][name], value[name]) and _name(first[1][name]) != _name(value[name])
        )
        for told, which in (
            (names, "has not the same fields as"),
            (retyped, "has fields of other types than"),
        ):
            if told:
                message = (
                    f"the payload of arm {arm.key} {which} that of arm {first[0]}: {', '.join(told[:20])}"
                )
                yield Violation(Code.PAYLOAD_FIELDS, message, f"variants.{index}.payload")


def value_of(payload: dict[str, Any] | None) -> Any:
    """What a flag is read as: the payload's `value` where it holds nothing else, else the payload."""
    if payload is not None and payload.keys() == {"value"}:
        return payload["value"]
    return payload


def _in_use(arms: Sequence[Arm]) -> Iterator[tuple[int, Arm]]:
    return ((index, arm) for index, arm in enumerate(arms) if arm.active)


def _kind(payload: dict[str, Any] | None) -> str | None:
    """The type of what a flag is read as; None: the arm gives nothing of its own."""
    value = value_of(payload)
    return None if value is None else _name(value)


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else "null"
