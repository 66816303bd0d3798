"""The pages' own files, which lie beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
)
_FOLDER = Path(__file__).parent / "static"


@cache
def own_file(name: str) -> bytes | None:
    """One of our own files; None: there is none of this name."""
    path = _FOLDER / name
    good = path.parent == _FOLDER and path.suffix in MEDIA_TYPES and path.is_file()
    return path.read_bytes() if good else None
