"""The environment of the stack's processes, and ``neonblue.env``, which carries it between commands."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr

from neonblue.files import write_private
from neonblue.settings import ENVIRONMENT_FILE, SERVICE, Role, Settings
from neonblue.settings.faults import RETIRED
from neonblue.settings.kafka import PARTS
from neonblue.stack.errors import StackError
from neonblue.stack.services import secret_use

PREFIX = "NEONBLUE_"
_SECRETS = {
    "postgres": ("password", *(f"{role}_password" for role in Role)),
    "connect": ("password",),
    "valkey": ("password",),
    "kafka": tuple(f"{part}_password" for part in PARTS),
    "clickhouse": ("password", "readonly_password"),
    "api": ("token",),
    "dagster": ("token", "page_secret"),
    "monitoring": ("token", "password"),
}
_OF_THE_STACKS_OWN = frozenset({"postgres", "connect", "kafka"})
"""An external one has other users, whom its address names."""
_ADDRESSES = frozenset({"host", "port", "url", "bootstrap_servers", "user", "readonly_user", "database"})
_EXTERNAL_KAFKA = frozenset(
    {"kafka_security_protocol", "kafka_sasl_mechanism", "kafka_password", "kafka_ssl_ca_location"}
)
"""What an address of the others says in itself."""
_EVERY_PROGRAM = re.compile(
    "PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_.*|TZ|TZDIR|TMPDIR|TERM|XDG_.*|PYTHON.*|VIRTUAL_ENV|LD_LIBRARY_PATH"
    "|JAVA_HOME|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS"
)
_HEADER = "# Addresses and secrets of this stack, written by neonblue up. Settings added here are kept.\n"


def with_secrets(settings: Settings) -> Settings:
    """`settings` with a generated secret wherever one is empty."""
    updates = {}
    for name, fields in _SECRETS.items():
        component = getattr(settings, name)
        if component.external and name in _OF_THE_STACKS_OWN:
            continue
        empty = [field for field in fields if not getattr(component, field).get_secret_value()]
        made = {field: SecretStr(secrets.token_urlsafe(24)) for field in empty}
        updates[name] = component.model_copy(update=made)
    return settings.model_copy(update=updates)


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


def process_environment(settings: Settings, service: str) -> dict[str, str]:
    """What the process of a service or step gets: exactly `settings`, and of their secrets those that it uses.

    In PostgreSQL it has a role of its own. Programs that know no setting get none, and of this environment what any
    program may need. Raises ``KeyError`` on a name that `secret_use.USED` does not have.
    """
    withheld = secret_use.secrets_of(type(settings)) - secret_use.USED[service]
    if service in secret_use.FOREIGN:
        return _inherited(_EVERY_PROGRAM)
    # An embedded engine answers queries of those who may read only: it has no use for what else is in the environment.
    inherited = _inherited(_EVERY_PROGRAM if service == "clickhouse" else None)
    role = secret_use.POSTGRES_ROLES.get(service)
    own = settings.model_copy(update={"postgres": settings.postgres.acting(role)}) if role else settings
    given = {
        name: value
        for name, value in variables(own).items()
        if name.removeprefix(PREFIX).lower() not in withheld
    }
    return inherited | given | {SERVICE: service}


def _inherited(allowed: re.Pattern[str] | None) -> dict[str, str]:
    """This environment without NeonBlue's settings; with `allowed`, only what that matches."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(PREFIX) and (allowed is None or allowed.fullmatch(name))
    }


def persisted(settings: Settings) -> dict[str, str]:
    """The variables that ``neonblue.env`` holds: secrets and addresses."""
    kept = {}
    for name, value in variables(settings).items():
        setting = name.removeprefix(PREFIX).lower()
        component, _, field = setting.partition("_")
        if (
            field in _ADDRESSES
            or field.endswith(("_port", "_url"))
            or field in _SECRETS.get(component, ())
            or (setting in _EXTERNAL_KAFKA and settings.kafka.external)
        ):
            kept[name] = value
    return kept


def write(settings: Settings) -> Path:
    """Write ``neonblue.env`` (mode 0600, replaced in one step), keeping what else its owner put there.

    One that is right already stays as it is: on a full disk there is no room for another.
    Raises ``StackError`` naming a setting that such a file can't hold.
    """
    path = settings.data_dir / ENVIRONMENT_FILE
    present: Mapping[str, str | None] = dotenv_values(path, interpolate=False) if path.exists() else {}
    for name, value in persisted(settings).items():
        if "${" in value:
            raise StackError(
                f"{name} must not contain '${{': in {ENVIRONMENT_FILE} that refers to a variable"
            )
    kept = {name: value for name, value in present.items() if value is not None and name not in RETIRED}
    merged = kept | persisted(settings)
    text = _HEADER + "".join(f"{name}={_quoted(value)}\n" for name, value in sorted(merged.items()))
    if not _is(path, text):
        write_private(path, text)
    return path


def _is(path: Path, text: str) -> bool:
    """Whether the file is there with that text, and its owner's alone."""
    return path.is_file() and not path.stat().st_mode & 0o077 and path.read_bytes() == text.encode()


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def stored_secrets(data_dir: Path) -> dict[str, dict[str, SecretStr]]:
    """The secrets in ``neonblue.env``, by component and field."""
    path = data_dir / ENVIRONMENT_FILE
    present = dotenv_values(path, interpolate=False) if path.exists() else {}
    found: dict[str, dict[str, SecretStr]] = {}
    for name, fields in _SECRETS.items():
        values = {field: present.get(f"{PREFIX}{name}_{field}".upper()) for field in fields}
        found[name] = {field: SecretStr(value) for field, value in values.items() if value}
    return found


def with_stored_secrets(settings: Settings) -> Settings:
    """Secrets that an earlier start generated, where `settings` were not read from that folder's file."""
    stored = stored_secrets(settings.data_dir)
    updates = {}
    for name, fields in stored.items():
        component = getattr(settings, name)
        empty = {
            field: value
            for field, value in fields.items()
            if not getattr(component, field).get_secret_value()
        }
        updates[name] = component.model_copy(update=empty)
    return settings.model_copy(update=updates)
