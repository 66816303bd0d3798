"""``python -m neonblue.compose.jars FOLDER``: the locked jars of Kafka Connect and Debezium, for the image of Connect.

FOLDER gets ``jars``, the class path, and ``plugins``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from neonblue.stack.jvm import jars
from neonblue.stack.jvm.jars import Artifact


def arrange(cache: Path, target: Path, artifacts: tuple[Artifact, ...]) -> None:
    """Put the class path and the plugin where the image has them; what is not there is fetched.

    Raises ArtifactError.
    """
    found = jars.ensure(cache, artifacts)
    (target / "jars").mkdir()
    for path in found.class_path:
        place = (cache / path).rename(target / "jars" / path.name)
        place.chmod(0o644)
    (cache / found.plugin_path).rename(target / "plugins")


def main(target: Path) -> None:
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=target) as folder:
        arrange(Path(folder), target, jars.locked())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
