"""``neonblue.env``: the stack's addresses and generated secrets, carried between commands."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr

from neonblue.files import write_private
from neonblue.settings import ENVIRONMENT_FILE, Settings
from neonblue.settings.faults import RETIRED
from neonblue.stack import catalogue
from neonblue.stack.errors import StackError
from neonblue.stack.services.environment import PREFIX, variables

_ADDRESSES = frozenset({"host", "port", "url", "bootstrap_servers", "user", "readonly_user", "database"})
_HEADER = "# Addresses and secrets of this stack, written by neonblue up. Settings added here are kept.\n"


def with_secrets(settings: Settings) -> Settings:
    """`settings` with a generated secret wherever one is empty."""
    updates = {}
    for name, fields in catalogue.secrets().items():
        component = getattr(settings, name)
        if component.external and name in catalogue.without_secrets_if_external():
            continue
        empty = [field for field in fields if not getattr(component, field).get_secret_value()]
        made = {field: SecretStr(secrets.token_urlsafe(24)) for field in empty}
        updates[name] = component.model_copy(update=made)
    return settings.model_copy(update=updates)


def persisted(settings: Settings) -> dict[str, str]:
    """The variables that ``neonblue.env`` holds: secrets and addresses."""
    kept, made = {}, catalogue.secrets()
    for_external = catalogue.kept_if_external(settings)
    for name, value in variables(settings).items():
        setting = name.removeprefix(PREFIX).lower()
        component, _, field = setting.partition("_")
        if (
            field in _ADDRESSES
            or field.endswith(("_port", "_url"))
            or field in made.get(component, ())
            or setting in for_external
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
    for name, fields in catalogue.secrets().items():
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
