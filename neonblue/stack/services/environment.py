"""The environment of the stack's processes."""

from __future__ import annotations

import json
import os
import re

from pydantic import BaseModel, SecretStr

from neonblue.settings import SERVICE, Settings
from neonblue.stack.services import secret_use
from neonblue.stack.supervisor.nodes import Node, Service

PREFIX = "NEONBLUE_"
_EVERY_PROGRAM = re.compile(
    "PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_.*|TZ|TZDIR|TMPDIR|TERM|XDG_.*|PYTHON.*|VIRTUAL_ENV|LD_LIBRARY_PATH"
    "|JAVA_HOME|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS"
)


def variables(settings: Settings) -> dict[str, str]:
    """Every setting as an environment variable, secrets included; those that are None are left out."""
    found = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            leaves = {f"{name}_{field}": getattr(value, field) for field in type(value).model_fields}
        else:
            leaves = {name: value}
        for leaf, content in leaves.items():
            if content is not None:
                found[PREFIX + leaf.upper()] = _text(content)
    return found


def _text(value: object) -> str:
    """As the settings read it: several values are a JSON array."""
    if isinstance(value, tuple):
        return json.dumps([_text(item) for item in value])
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def process_environment(settings: Settings, node: Node | type[Node]) -> dict[str, str]:
    """What the process of a service or step gets: exactly `settings`, and of their secrets those that it uses.

    In PostgreSQL it has a role of its own. Programs that know no setting get none, and of this environment what any
    program may need.
    """
    kind = node if isinstance(node, type) else type(node)
    withheld = secret_use.secrets_of(type(settings)) - kind.secrets_used
    secluded = False
    if issubclass(kind, Service):
        if not kind.knows_settings:
            return _inherited(_EVERY_PROGRAM)
        secluded = kind.secluded
    inherited = _inherited(_EVERY_PROGRAM if secluded else None)
    role = kind.postgres_role
    own = settings.model_copy(update={"postgres": settings.postgres.acting(role)}) if role else settings
    given = {
        name: value
        for name, value in variables(own).items()
        if name.removeprefix(PREFIX).lower() not in withheld
    }
    return inherited | given | {SERVICE: kind.name}


def _inherited(allowed: re.Pattern[str] | None) -> dict[str, str]:
    """This environment without NeonBlue's settings; with `allowed`, only what that matches."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(PREFIX) and (allowed is None or allowed.fullmatch(name))
    }
