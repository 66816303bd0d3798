"""Event ids: UUIDs whose version 7 carries the day of the event's partition."""

from __future__ import annotations

import re
import secrets
import time
from uuid import UUID

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_VARIANT_DIGITS = frozenset("89ab")


def uuid7(milliseconds: int | None = None) -> str:
    """A new UUID of version 7 (RFC 9562, section 5.7) in canonical text; of now where no time is given."""
    clock = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    digits = f"{clock:012x}"
    random = f"{secrets.randbits(74):019x}"
    variant = "89ab"[int(random[0], 16) & 3]
    return f"{digits[:8]}-{digits[8:]}-7{random[1:4]}-{variant}{random[4:7]}-{random[7:]}"


def canonical_uuid(text: str) -> str | None:
    """The lower-case hyphenated form; None for what is no UUID."""
    if _CANONICAL(text):
        return text
    try:
        return str(UUID(text))
    except ValueError:
        return None


def uuid7_milliseconds(canonical: str) -> int | None:
    """Unix time in milliseconds that a UUID of version 7 carries; None for any other version."""
    if canonical[14] != "7" or canonical[19] not in _VARIANT_DIGITS:
        return None
    return int(canonical[:8] + canonical[9:13], 16)
