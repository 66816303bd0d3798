"""Files of the libraries that pages run, out of their WebJars.

The WebJars lie where `neonblue up` keeps the jars of Kafka: fetched once, verified by their hashes, read as they are.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WebJar:
    """A WebJar that `connectors/jars.lock` names. files: what is served of it, by name, and where it lies in it."""

    group: str
    name: str
    version: str
    files: Mapping[str, str]

    @property
    def path(self) -> str:
        """In the cache folder."""
        folder = f"jars/{self.group.replace('.', '/')}/{self.name}/{self.version}"
        return f"{folder}/{self.name}-{self.version}.jar"

    def read(self, cache_folder: Path, name: str) -> bytes | None:
        """One of its files; None: it has no such file, or is not there."""
        if name not in self.files:
            return None
        try:
            with zipfile.ZipFile(cache_folder / self.path) as jar:
                return jar.read(f"META-INF/resources/webjars/{self.name}/{self.version}/{self.files[name]}")
        except (OSError, KeyError, zipfile.BadZipFile):
            return None


SWAGGER_UI = WebJar(
    "org.webjars",
    "swagger-ui",
    "5.34.1",
    {name: name for name in ("swagger-ui.css", "swagger-ui-bundle.js")},
)
HTMX = WebJar("org.webjars.npm", "htmx.org", "2.0.10", {"htmx.min.js": "dist/htmx.min.js"})
HTMX_SSE = WebJar("org.webjars.npm", "htmx-ext-sse", "2.2.2", {"sse.js": "sse.js"})
_OF_PAGES = (HTMX, HTMX_SSE)


@lru_cache(maxsize=16)
def _kept(cache_folder: Path, jar_name: str, name: str) -> bytes:
    """Raises LookupError where it is not there: that is not kept."""
    jar = next(jar for jar in _OF_PAGES if jar.name == jar_name)
    content = jar.read(cache_folder, name)
    if content is None:
        raise LookupError(name)
    return content


def library_file(cache_folder: Path, name: str) -> bytes | None:
    """A script of a library that pages run; None: there is none of this name, or its WebJar is not there."""
    for jar in _OF_PAGES:
        if name in jar.files:
            try:
                return _kept(cache_folder, jar.name, name)
            except LookupError:
                return None
    return None


def are_there(cache_folder: Path) -> bool:
    """Whether pages can change in place: each library's file can be read."""
    return all(library_file(cache_folder, name) is not None for jar in _OF_PAGES for name in jar.files)
