"""The Java artefacts of Kafka and Debezium: fetched once per user, each verified by its SHA-256.

``connectors/jars.lock`` names every artefact with its hash; ``python -m neonblue.stack.jars_lock`` writes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neonblue.files import Folder, folder
from neonblue.stack.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_FILE = "jars.lock"
WEBJARS = "org.webjars"
DOWNLOAD_THREADS = 16

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a Maven repository, with the hash its content must have."""

    group: str
    name: str
    version: str
    packaging: str
    classifier: str
    sha256: str

    @property
    def coordinates(self) -> str:
        """Maven's own notation: ``group:name:packaging[:classifier]:version``."""
        parts = [self.group, self.name, self.packaging, self.classifier, self.version]
        return ":".join(part for part in parts if part)

    @property
    def on_class_path(self) -> bool:
        """Whether it holds classes: WebJars hold the files of pages."""
        return self.packaging == "jar" and not self.group.startswith(WEBJARS)

    @property
    def path(self) -> Path:
        """Where the file lies in a Maven repository, and in the cache."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        file = f"{self.name}-{self.version}{suffix}.{self.packaging}"
        return Path(*self.group.split("."), self.name, self.version, file)


@dataclass(frozen=True, slots=True)
class Jars:
    """The verified artefacts: what goes on the class path, and Connect's plugin folder."""

    class_path: tuple[Path, ...]
    plugin_path: Path


def parse_lock(text: str) -> tuple[Artifact, ...]:
    """Read a lock: one ``coordinates sha256:hash`` a line.

    Raises ``ArtifactError`` naming a line it can't read.
    """
    artifacts = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].split()
        if content:
            artifacts.append(_parse_line(content, number))
    return tuple(artifacts)


def _parse_line(content: Sequence[str], number: int) -> Artifact:
    coordinates, _, digest = " ".join(content).partition(" sha256:")
    parts = coordinates.split(":")
    if len(parts) not in (4, 5) or len(digest) != 64:
        raise ArtifactError(
            f"{LOCK_FILE}, line {number}: expected 'group:name:packaging[:classifier]:version sha256:…'"
        )
    group, name, packaging, *classifier, version = parts
    return Artifact(group, name, version, packaging, classifier[0] if classifier else "", digest)


def format_lock(artifacts: Sequence[Artifact]) -> str:
    """The text of a lock, sorted, so that a change of one artefact is a change of one line."""
    lines = sorted(f"{artifact.coordinates} sha256:{artifact.sha256}\n" for artifact in artifacts)
    return "# Written by python -m neonblue.stack.jars_lock from pom.xml; do not edit.\n" + "".join(lines)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def locked() -> tuple[Artifact, ...]:
    """The artefacts this installation runs with."""
    return parse_lock((folder(Folder.CONNECTORS) / LOCK_FILE).read_text())


def missing(cache: Path, artifacts: Sequence[Artifact]) -> list[Artifact]:
    """What the cache lacks. A file gets its final name only once verified, so presence is enough."""
    return [artifact for artifact in artifacts if not (cache / artifact.path).is_file()]


def ensure(cache: Path, artifacts: Sequence[Artifact], progress: Progress | None = None) -> Jars:
    """Fetch what the cache lacks, verify it, unpack the Connect plugin.

    `progress` is called with the number of files done and wanted. Raises ``ArtifactError``.
    """
    cache.mkdir(parents=True, exist_ok=True)
    if missing(cache, artifacts) or not _plugin_folder(cache, artifacts).is_dir():
        with _exclusive(cache / "fetch.lock"):
            _fetch(cache, missing(cache, artifacts), progress or (lambda _done, _wanted: None))
            _unpack_plugin(cache, artifacts)
    class_path = tuple(cache / artifact.path for artifact in artifacts if artifact.on_class_path)
    return Jars(class_path, _plugin_folder(cache, artifacts))


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(cache: Path, wanted: Sequence[Artifact], progress: Progress) -> None:
    if not wanted:
        return
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory(dir=cache, prefix="download-") as staging:
        context = MavenContext(repo_cache=Path(staging), local_repos=[], timeout=60)
        progress(0, len(wanted))
        with ThreadPoolExecutor(DOWNLOAD_THREADS, "fetch") as pool:
            futures = [pool.submit(_fetch_one, context, artifact, cache) for artifact in wanted]
            try:
                for done, future in enumerate(as_completed(futures), start=1):
                    future.result()
                    progress(done, len(wanted))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def _fetch_one(context: object, artifact: Artifact, cache: Path) -> None:
    component = context.project(artifact.group, artifact.name).at_version(artifact.version)  # type: ignore[attr-defined]
    try:
        file = component.artifact(packaging=artifact.packaging, classifier=artifact.classifier).resolve()
    except Exception as error:
        raise ArtifactError(f"{artifact.coordinates} can't be downloaded: {error}") from error
    accept(Path(file), artifact, cache)


def accept(file: Path, artifact: Artifact, cache: Path) -> Path:
    """Move a downloaded file into the cache.

    Removes it and raises ``ArtifactError`` if its hash is not the lock's.
    """
    found = sha256(file)
    if found != artifact.sha256:
        file.unlink()
        raise ArtifactError(
            f"{artifact.coordinates} has SHA-256 {found}, but {LOCK_FILE} says {artifact.sha256}: "
            "the download was damaged or altered, and was removed. Try again, or from another network."
        )
    target = cache / artifact.path
    target.parent.mkdir(parents=True, exist_ok=True)
    return file.replace(target)


def _plugin(artifacts: Sequence[Artifact]) -> Artifact:
    return next(artifact for artifact in artifacts if artifact.classifier == "plugin")


def _plugin_folder(cache: Path, artifacts: Sequence[Artifact]) -> Path:
    plugin = _plugin(artifacts)
    return cache / "plugins" / f"{plugin.name}-{plugin.version}-{plugin.sha256[:12]}"


def _unpack_plugin(cache: Path, artifacts: Sequence[Artifact]) -> None:
    target = _plugin_folder(cache, artifacts)
    if target.is_dir():
        return
    target.parent.mkdir(exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        with tarfile.open(cache / _plugin(artifacts).path) as archive:
            archive.extractall(staging, filter="data")
        staging.chmod(0o755)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
