"""What is wrong with settings, each in a sentence: its name, its value (unless it is secret), the rule, what to do."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from dotenv.parser import parse_stream
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

PREFIX = "NEONBLUE_"
_OF_PROCESSES = ("CDC_", "DBT_", "SERVICE")
"""Variables of this prefix that are no settings: the stack gives them to Debezium, to dbt, to its services."""
RETIRED = frozenset({"NEONBLUE_DAGSTER_CODE_PORT", "NEONBLUE_MONITORING_HOST"})
"""Variables that were settings: an older ``neonblue.env`` may hold them. They mean nothing."""
_NEAR = 0.75
_LONGEST_SHOWN = 60
_WORDS = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "bool_parsing": "true or false",
}


class SettingsError(Exception):
    """Settings are wrong, or can't be read. The message has one sentence a line."""

    code = "settings"


@dataclass(frozen=True, slots=True)
class Given:
    """A variable as it was given: its name in capitals, its text, and where."""

    name: str
    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A variable that is no setting. `nearest` is the setting that it resembles, if any.

    `claims` is whether it means to be a setting: it resembles one, or begins as a component's settings do.
    """

    given: Given
    nearest: str | None
    claims: bool

    @property
    def sentence(self) -> str:
        """What it is and what to do."""
        advice = f"did you mean {self.nearest}?" if self.nearest else "'neonblue settings' lists them all"
        return f"{self.given.name} ({self.given.place}) is not a setting: {advice}"


def setting_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Every setting by the name of its environment variable."""
    found: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= {f"{PREFIX}{name}_{leaf}".upper(): f for leaf, f in inner.model_fields.items()}
        else:
            found[f"{PREFIX}{name}".upper()] = field
    return found


def given_variables(file: Path | None) -> dict[str, Given]:
    """The variables with our prefix: those of `file` (None: of no file), and before them those of the environment.

    Raises ``SettingsError`` where the file can't be read, or a line of it.
    """
    found = {given.name: given for given in (_of_file(file) if file else ())}
    for name, text in os.environ.items():
        if name.upper().startswith(PREFIX):
            found[name.upper()] = Given(name.upper(), text, "in the environment")
    return found


def _of_file(file: Path) -> Iterator[Given]:
    try:
        if not file.is_file():
            return
        with file.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except OSError as error:
        raise SettingsError(
            f"{file} can't be read ({error.strerror}): it is its owner's alone; run this as the user who started the "
            "stack, or choose another folder with --data-dir or NEONBLUE_DATA_DIR"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} can't be read: it is not UTF-8 ({error.reason})") from error
    for binding in bindings:
        line = binding.original.line + _blank_lines(binding.original.string)
        if binding.error or (binding.key is not None and binding.value is None):
            raise SettingsError(f"{file}, line {line}: it is not of the form NAME=value: mend or remove it")
        if binding.key is not None and binding.key.upper().startswith(PREFIX):
            yield Given(binding.key.upper(), binding.value or "", f"in {file}, line {line}")


def _blank_lines(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")


def unknown_variables(model: type[BaseModel], given: Iterable[Given]) -> tuple[Unknown, ...]:
    """Which of `given` are no settings."""
    fields = setting_fields(model)
    components = {f"{PREFIX}{name}".upper() for name in model.model_fields}
    suffixes = [name.removeprefix(PREFIX) for name in fields]
    found = []
    for one in given:
        suffix = one.name.removeprefix(PREFIX)
        if (
            one.name in fields
            or one.name in components
            or one.name in RETIRED
            or suffix.startswith(_OF_PROCESSES)
        ):
            continue
        near = difflib.get_close_matches(suffix, suffixes, n=1, cutoff=_NEAR)
        within = any(one.name.startswith(f"{component}_") for component in components)
        found.append(Unknown(one, PREFIX + near[0] if near else None, claims=bool(near) or within))
    return tuple(found)


def sentences(model: type[BaseModel], error: ValidationError, given: Mapping[str, Given]) -> list[str]:
    """What pydantic found, a sentence for each."""
    return [_sentence(model, item, given) for item in error.errors(include_url=False)]


def kept_too_short(age_days: int, kept_days: int, given: Mapping[str, Given]) -> str:
    """An event that is accepted late would be of a day that retention has dropped, of which nothing else is left."""
    found = given.get("NEONBLUE_RETENTION_EVENTS_DAYS")
    where = f" ({found.place})" if found else ""
    return (
        f"NEONBLUE_RETENTION_EVENTS_DAYS is '{kept_days}'{where}: {age_days + 2} or more, or 0, which keeps all, "
        f"is wanted where NEONBLUE_API_MAX_EVENT_AGE_DAYS is {age_days}, since events of that age are accepted; "
        "change one of them"
    )


def _sentence(model: type[BaseModel], item: Any, given: Mapping[str, Given]) -> str:
    place = [str(part).upper() for part in item["loc"]]
    name = PREFIX + "_".join(place[:2])
    field = setting_fields(model).get(name)
    found, whole = given.get(name), given.get(PREFIX + place[0])
    shown = _shown(field, found)
    where = f" ({origin.place})" if (origin := found or whole) else ""
    return f"{name} is {shown}{where}: {_rule(item, field)} is wanted; change it{_or_default(field)}"


def _shown(field: FieldInfo | None, found: Given | None) -> str:
    if field is None or found is None or is_secret(field) or "://" in found.text:
        return "not valid"
    return repr(found.text if len(found.text) <= _LONGEST_SHOWN else f"{found.text[:_LONGEST_SHOWN]}…")


def is_secret(field: FieldInfo) -> bool:
    """Whether its values must not be shown."""
    return SecretStr in _types(field.annotation)


def _types(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is None:
        yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)


def _rule(item: Any, field: FieldInfo | None) -> str:
    kind, context = item["type"], item.get("ctx", {})
    limits = _limits(field)
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"a number{limits}"
    if kind in _WORDS:
        return _WORDS[kind] + limits
    if kind == "literal_error":
        return f"one of {context['expected']}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"what the pattern {context['pattern']} allows"
    return f"another value ({item['msg'].lower()})"


def _limits(field: FieldInfo | None) -> str:
    rules = [] if field is None else field.metadata
    least = next((rule.ge for rule in rules if hasattr(rule, "ge")), None)
    most = next((rule.le for rule in rules if hasattr(rule, "le")), None)
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return f" of {least} or more" if least is not None else f" of at most {most}" if most is not None else ""


def _or_default(field: FieldInfo | None) -> str:
    default = None if field is None else field.get_default()
    if field is None or default is None or is_secret(field) or default == "":
        return ""
    return f", or unset it for the default, {default}"


def not_json(model: type[BaseModel], given: Mapping[str, Given]) -> list[str]:
    """The variables whose text must be JSON and is not: a list's, or a whole component's."""
    fields = setting_fields(model)
    components = {f"{PREFIX}{name}".upper() for name in model.model_fields} - set(fields)
    found = []
    for name, one in given.items():
        listed = name in fields and get_origin(fields[name].annotation) is tuple
        if (listed or name in components) and not _is_json(one.text):
            example = '["json://127.0.0.1/path"]' if listed else '{"port": 8000}'
            found.append(
                f"{name} is not valid ({one.place}): JSON is wanted, such as {example}; change or unset it"
            )
    return found


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return not text
    return True
