"""The files of the pages: our own beside this module, Swagger UI's out of its WebJar.

The WebJar lies where `neonblue up` keeps the jars of Kafka: fetched once, verified by its hash, read as it is.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

SWAGGER_UI = "5.34.1"
"""The version that `connectors/jars.lock` names."""

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
)
SWAGGER_JAR = f"jars/org/webjars/swagger-ui/{SWAGGER_UI}/swagger-ui-{SWAGGER_UI}.jar"
"""The WebJar, in the cache folder."""

_OWN = Path(__file__).parent / "static"
_SWAGGER_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})
_IN_JAR = f"META-INF/resources/webjars/swagger-ui/{SWAGGER_UI}"


@cache
def own_file(name: str) -> bytes | None:
    """One of our own files; None: there is none of this name."""
    path = _OWN / name
    return (
        path.read_bytes() if path.parent == _OWN and path.suffix in MEDIA_TYPES and path.is_file() else None
    )


def swagger_file(cache_folder: Path, name: str) -> bytes | None:
    """One of Swagger UI's files; None: it has no such file, or the WebJar is not there."""
    if name not in _SWAGGER_FILES:
        return None
    try:
        with zipfile.ZipFile(cache_folder / SWAGGER_JAR) as jar:
            return jar.read(f"{_IN_JAR}/{name}")
    except (OSError, KeyError, zipfile.BadZipFile):
        return None
