"""The files of Swagger UI, out of its WebJar.

The WebJar lies where `neonblue up` keeps the jars of Kafka: fetched once, verified by its hash, read as it is.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

SWAGGER_UI = "5.34.1"
"""The version that `connectors/jars.lock` names."""

SWAGGER_JAR = f"jars/org/webjars/swagger-ui/{SWAGGER_UI}/swagger-ui-{SWAGGER_UI}.jar"
"""The WebJar, in the cache folder."""

_SWAGGER_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})
_IN_JAR = f"META-INF/resources/webjars/swagger-ui/{SWAGGER_UI}"


def swagger_file(cache_folder: Path, name: str) -> bytes | None:
    """One of Swagger UI's files; None: it has no such file, or the WebJar is not there."""
    if name not in _SWAGGER_FILES:
        return None
    try:
        with zipfile.ZipFile(cache_folder / SWAGGER_JAR) as jar:
            return jar.read(f"{_IN_JAR}/{name}")
    except (OSError, KeyError, zipfile.BadZipFile):
        return None
