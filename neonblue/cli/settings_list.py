"""Every setting as a value: its name, what it does, its default, what is in force and where that comes from."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Le
from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from neonblue.settings import ENVIRONMENT_FILE, Settings

PREFIX = "NEONBLUE_"
MASK = "********"
_CREDENTIALS = re.compile(r"//[^/@\s]*@")

ENVIRONMENT, OPTION, DEFAULT = "environment", "--data-dir", "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `component`: the part that it is of; empty: the stack as a whole. `bounds`: such as 1 to 65535."""

    name: str
    component: str
    description: str
    default: str
    bounds: str
    secret: bool


@dataclass(frozen=True, slots=True)
class InForce:
    """A setting with its value, secrets masked, and where that comes from."""

    setting: Setting
    value: str
    source: str


def settings_list() -> list[Setting]:
    """Every setting, in the order of `Settings`."""
    return [
        Setting(
            name=variable(component, name),
            component=component,
            description=(field.description or "").strip(),
            default=_default(field),
            bounds=_bounds(field),
            secret=_secret(field.annotation),
        )
        for component, name, field in _fields()
    ]


def in_force(settings: Settings, *, chosen_folder: bool) -> list[InForce]:
    """Every setting as it holds. chosen_folder: whether the data folder was given on the command line."""
    present = {setting.name: setting for setting in settings_list()}
    sources = _sources(settings.data_dir, chosen_folder=chosen_folder)
    found = []
    for component, name, _ in _fields():
        owner = getattr(settings, component) if component else settings
        setting = present[variable(component, name)]
        value = _text(getattr(owner, name), reveal=not setting.secret)
        found.append(InForce(setting, value, sources.get(setting.name, DEFAULT)))
    return found


def variable(component: str, name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + (f"{component}_{name}" if component else name).upper()


def _fields() -> Iterator[tuple[str, str, FieldInfo]]:
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from ((name, inner, found) for inner, found in kind.model_fields.items())
        else:
            yield "", name, field


def _sources(folder: Path, *, chosen_folder: bool) -> dict[str, str]:
    """Where each variable that is given comes from: the environment wins over the file."""
    file = folder / ENVIRONMENT_FILE
    given = _given(dotenv_values(file, interpolate=False) if file.exists() else {}, ENVIRONMENT_FILE)
    given |= _given(os.environ, ENVIRONMENT)
    if chosen_folder:
        given[variable("", "data_dir")] = OPTION
    elif given.get(variable("", "data_dir")) == ENVIRONMENT_FILE:
        # The folder is known before its file is read.
        given[variable("", "data_dir")] = DEFAULT
    return given


def _given(values: Mapping[str, str | None], source: str) -> dict[str, str]:
    """The variables among these, those of a whole component (``NEONBLUE_API='{"port": 1}'``) one by one."""
    upper = {name.upper(): value for name, value in values.items() if value}
    found = {name: source for name in upper if name.startswith(PREFIX)}
    for component in {component for component, _, _ in _fields() if component}:
        text = upper.get(PREFIX + component.upper())
        if text is not None:
            found |= {variable(component, name): source for name in json.loads(text)}
    return found


def _default(field: FieldInfo) -> str:
    return "" if field.default_factory is not None else _text(field.default, reveal=True)


def _bounds(field: FieldInfo) -> str:
    lowest = next((str(rule.ge) for rule in field.metadata if isinstance(rule, Ge)), None)
    highest = next((str(rule.le) for rule in field.metadata if isinstance(rule, Le)), None)
    if lowest is not None and highest is not None:
        return f"{lowest} to {highest}"
    return f"at least {lowest}" if lowest is not None else f"at most {highest}" if highest is not None else ""


def _secret(kind: Any) -> bool:
    return kind is SecretStr or any(_secret(part) for part in get_args(kind))


def _text(value: Any, *, reveal: bool) -> str:
    """As the environment would hold it; empty where nothing is set."""
    if (
        value is None
        or value == ()
        or value == ""
        or (isinstance(value, SecretStr) and not value.get_secret_value())
    ):
        return ""
    if not reveal:
        return MASK
    if isinstance(value, bool):
        return str(value).lower()
    return _CREDENTIALS.sub(f"//{MASK}@", str(value))
