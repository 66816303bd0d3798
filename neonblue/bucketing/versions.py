"""The order of versions: Semantic Versioning 2.0.0 (semver.org, section 11) as bytes that compare alike."""

from __future__ import annotations

import re

VERSION_LENGTH = 255
"""Characters of a version, at most: the length of a number is one byte."""

_IDENTIFIER = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    r"[vV]?(?P<numbers>(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){0,2})"
    rf"(?:-(?P<prerelease>{_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)
# No NUL: CEL's binding ends there what a function returns.
_PRERELEASE, _RELEASE = b"\x01", b"\x02"
_END, _NUMERIC, _ALPHANUMERIC = b"\x01", b"\x02", b"\x03"


def version_key(text: str) -> bytes:
    """Bytes whose order is the order of versions: 1.9.0 < 1.10.0-beta.2 < 1.10.0-beta.11 < 1.10.0.

    A leading `v` and spaces around do not count, nor does what follows a `+`; missing parts are zeros (1.10 is
    1.10.0). Raises ValueError for what is no version.
    """
    found = _VERSION.fullmatch(text.strip()) if len(text) <= VERSION_LENGTH else None
    if found is None:
        raise ValueError(f"{text[:64]!r} is no version such as 1.10.0 or 2.0.0-beta.1")
    numbers = found["numbers"].split(".")
    key = b"".join(_number(digits) for digits in [*numbers, *["0"] * (3 - len(numbers))])
    if found["prerelease"] is None:
        return key + _RELEASE
    return key + _PRERELEASE + b"".join(map(_identifier, found["prerelease"].split("."))) + _END


def _number(digits: str) -> bytes:
    """A number without leading zeros is smaller where it is shorter."""
    return bytes([len(digits)]) + digits.encode()


def _identifier(text: str) -> bytes:
    return _NUMERIC + _number(text) if text.isdigit() else _ALPHANUMERIC + text.encode() + _END
