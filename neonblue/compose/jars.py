"""``python -m neonblue.compose.jars FOLDER``: the locked jars of Kafka Connect and Debezium, for the image of Connect.

FOLDER gets ``jars``, the class path, and ``plugins``. By Python's own library alone: the image has no fetcher.
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

from neonblue.stack import jars
from neonblue.stack.jars import DOWNLOAD_THREADS, Artifact

_REPOSITORY = "https://maven.example.com/maven2"
_SECONDS = 120


def fetch(artifacts: list[Artifact], cache: Path) -> None:
    """Download what is not there, each verified by its hash. Raises OSError and ``ArtifactError``."""
    with ThreadPoolExecutor(DOWNLOAD_THREADS) as pool:
        list(pool.map(lambda artifact: _fetch_one(artifact, cache), artifacts))


def _fetch_one(artifact: Artifact, cache: Path) -> None:
    address = f"{_REPOSITORY}/{artifact.path.as_posix()}"
    with (
        tempfile.NamedTemporaryFile(dir=cache, delete=False) as file,
        urlopen(address, timeout=_SECONDS) as answer,  # noqa: S310
    ):
        while piece := answer.read(1024**2):
            file.write(piece)
    place = jars.accept(Path(file.name), artifact, cache)
    place.chmod(0o644)


def arrange(cache: Path, target: Path, artifacts: tuple[Artifact, ...]) -> None:
    """Put the class path and the plugin where the image has them."""
    found = jars.ensure(cache, artifacts)
    (target / "jars").mkdir()
    for path in found.class_path:
        (cache / path).rename(target / "jars" / path.name)
    (cache / found.plugin_path).rename(target / "plugins")


def main(target: Path) -> None:
    target.mkdir(parents=True)
    artifacts = jars.locked()
    with tempfile.TemporaryDirectory(dir=target) as folder:
        cache = Path(folder)
        fetch(jars.missing(cache, artifacts), cache)
        arrange(cache, target, artifacts)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
