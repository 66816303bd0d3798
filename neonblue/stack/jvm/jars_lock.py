"""Writes ``connectors/jars.lock`` from ``connectors/pom.xml``: ``python -m neonblue.stack.jvm.jars_lock``.

For maintainers: needs Maven (``mvn``). Maven resolves, because its choice of versions is the one Kafka is
built with; the lock then fixes the choice for everyone.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from neonblue.files import Folder, folder
from neonblue.stack.jvm.jars import LOCK_FILE, Artifact, format_lock, sha256

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:resolve"
_RESOLVED = re.compile(r"^\s+(?P<coordinates>[^\s:]+(?::[^\s:]+){3,4}):(?:compile|runtime)\b")


def parse_resolved(text: str) -> list[tuple[str, ...]]:
    """Maven's list of resolved artefacts as (group, name, packaging, classifier, version)."""
    found: list[tuple[str, ...]] = []
    for line in text.splitlines():
        if match := _RESOLVED.match(line):
            group, name, packaging, *classifier, version = match["coordinates"].split(":")
            found.append((group, name, packaging, classifier[0] if classifier else "", version))
    return found


def resolve(pom: Path, repository: Path) -> list[Artifact]:
    """Let Maven resolve `pom` into `repository`, and hash what it fetched."""
    listing = repository / "resolved.txt"
    command = ["mvn", "-B", "-q", "-f", str(pom), f"-Dmaven.repo.local={repository}", _PLUGIN]
    subprocess.run([*command, f"-DoutputFile={listing}", "-DincludeScope=runtime"], check=True)
    artifacts = []
    for group, name, packaging, classifier, version in parse_resolved(listing.read_text(encoding="utf-8")):
        unhashed = Artifact(group, name, version, packaging, classifier, "")
        digest = sha256(repository / unhashed.path)
        artifacts.append(Artifact(group, name, version, packaging, classifier, digest))
    return artifacts


def main() -> int:
    connectors = folder(Folder.CONNECTORS)
    with tempfile.TemporaryDirectory() as repository:
        artifacts = resolve(connectors / "pom.xml", Path(repository))
    (connectors / LOCK_FILE).write_text(format_lock(artifacts), encoding="utf-8")
    print(f"{LOCK_FILE}: {len(artifacts)} artefacts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
