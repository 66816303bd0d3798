"""Who changed what of an experiment, in words. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.experiments.answers import VersionOut
from neonblue.texts import person, plain

_DONE = {
    "create": "made it",
    "schedule": "scheduled it",
    "unschedule": "took it off the schedule",
    "start": "started it",
    "pause": "paused it",
    "roll_back": "rolled it back",
    "resume": "resumed it",
    "conclude": "concluded it",
    "release": "changed what is released",
    "archive": "archived it",
    "watch": "took up what the catalogue watches",
    "ramp": "took a step of its ramp",
    "ramp_hold": "held its ramp",
    "ramp_continue": "let its ramp go on",
    "ramp_skip": "took the next step of its ramp before its time",
    "ramp_back": "took its ramp back",
}
_LONGEST = 400
"""Characters of a value: a payload may be long, and stands whole in the configuration."""
_NO_NEWS = frozenset({"status", "version", "started_at", "concluded_at", "inference"})
"""Fields that follow from the step itself."""


@dataclass(frozen=True, slots=True)
class ChangedField:
    """A field before and after, as texts."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One version."""

    version: int
    at: datetime
    who: str
    what: str
    reason: str
    changed: tuple[ChangedField, ...]


def entries_of(versions: Sequence[VersionOut]) -> tuple[Entry, ...]:
    """One entry for each version, in their order."""
    return tuple(_entry(version) for version in versions)


def fields_of(difference: dict[str, Any]) -> tuple[ChangedField, ...]:
    """Each field of a difference: as it was, and as it would be."""
    return tuple(_changed(difference))


def changes_since(versions: Sequence[VersionOut], saw: int) -> tuple[ChangedField, ...]:
    """Each field that is not as it was in the version that was seen: as it was, and as it is now."""
    found: dict[str, ChangedField] = {}
    for version in sorted(versions, key=lambda version: version.version):
        if version.version > saw:
            for field in _changed(version.difference, frozenset({"version"})):
                known = found.get(field.name)
                found[field.name] = ChangedField(
                    field.name, known.before if known else field.before, field.after
                )
    return tuple(field for field in found.values() if field.before != field.after)


def _entry(version: VersionOut) -> Entry:
    changed = () if version.action == "create" else _changed(version.difference)
    names = ", ".join(field.name for field in changed)
    what = _DONE.get(version.action)
    if what is None:
        action = version.action.replace("_", " ")
        what = f"changed {names}" if action == "change" and names else f"changed it ({plain(action)})"
    return Entry(
        version.version, version.created_at, person(version.created_by), what, plain(version.reason), changed
    )


def _changed(difference: dict[str, Any], left_out: frozenset[str] = _NO_NEWS) -> tuple[ChangedField, ...]:
    found = []
    for name, values in difference.items():
        if name in left_out:
            continue
        sides = values if isinstance(values, dict) else {}
        before, after = (sides.get("before"), sides.get("after")) if sides else (None, values)
        found.append(ChangedField(plain(name.replace("_", " ")), _text(before), _text(after)))
    return tuple(found)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    text = plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
