"""The third-party parts as the two locks pin them: Python packages and Java artefacts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from neonblue.files import Folder, folder
from neonblue.stack.jvm.jars import LOCK_FILE, parse_lock

PYTHON_LOCK = "requirements.lock"

_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>.+?))?"
)
_HASH = re.compile(r"--hash=sha256:(?P<hash>[0-9a-f]{64})")


class LockError(Exception):
    """A lock that can't be read: which file, which line, why."""


@dataclass(frozen=True, slots=True)
class Component:
    """A part at one version.

    purl: its package URL, by which advisories name it. hashes: SHA-256 of each file that may be installed, sorted.
    condition: on which Python or system it is installed; empty: on all.
    """

    name: str
    version: str
    purl: str
    hashes: tuple[str, ...]
    group: str = ""
    condition: str = ""


def locked(root: Path) -> list[Component]:
    """Every part of the checkout's locks, Python packages first. Raises LockError, ArtifactError, OSError."""
    python = python_components((root / PYTHON_LOCK).read_text(encoding="utf-8"))
    return [*python, *java_components((folder(Folder.CONNECTORS) / LOCK_FILE).read_text(encoding="utf-8"))]


def python_components(text: str) -> list[Component]:
    """The packages of a `requirements.lock` as uv writes it, in its order. Raises LockError."""
    found: list[Component] = []
    logical = text.replace("\\\n", " ")
    for line in logical.splitlines():
        content = line.strip()
        if content and not content.startswith("#"):
            found.append(_package(content))
    return found


def java_components(text: str) -> list[Component]:
    """The artefacts of a `jars.lock`, in its order. Raises ArtifactError."""
    return [
        Component(
            artifact.name,
            artifact.version,
            f"pkg:maven/{artifact.group}/{artifact.name}@{quote(artifact.version)}"
            f"{_qualifiers(artifact.classifier, artifact.packaging)}",
            (artifact.sha256,),
            group=artifact.group,
        )
        for artifact in parse_lock(text)
    ]


def _package(line: str) -> Component:
    requirement, *hashes = re.split(r"\s+(?=--hash=)", line)
    pinned = _PINNED.fullmatch(requirement.strip())
    found = [match["hash"] for one in hashes if (match := _HASH.fullmatch(one.strip()))]
    if pinned is None or not found or len(found) != len(hashes):
        raise LockError(f"{PYTHON_LOCK}: not a pinned package with its hashes: {requirement[:80]}")
    name = re.sub(r"[-_.]+", "-", pinned["name"]).lower()
    version = pinned["version"]
    return Component(
        name,
        version,
        f"pkg:pypi/{name}@{quote(version)}",
        tuple(sorted(found)),
        condition=pinned["marker"] or "",
    )


def _qualifiers(classifier: str, packaging: str) -> str:
    given: Sequence[tuple[str, str]] = [("classifier", classifier), ("type", packaging)]
    shown = [f"{key}={value}" for key, value in given if value and (key, value) != ("type", "jar")]
    return f"?{'&'.join(shown)}" if shown else ""
