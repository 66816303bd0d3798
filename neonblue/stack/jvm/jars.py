"""The Java artefacts of Kafka and Debezium: fetched once per user, each verified by its SHA-256.

``connectors/jars.lock`` names every artefact with its hash; ``python -m neonblue.stack.jvm.jars_lock`` writes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neonblue.files import Folder, folder
from neonblue.stack.errors import ArtifactError
from neonblue.stack.jvm.archives import ArchiveError, differs, unpack

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
    """The verified artefacts: what goes on the class path, and Connect's plugin folder, both relative to the cache."""

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
    return "# Written by python -m neonblue.stack.jvm.jars_lock from pom.xml; do not edit.\n" + "".join(lines)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def locked() -> tuple[Artifact, ...]:
    """The artefacts this installation runs with."""
    return parse_lock((folder(Folder.CONNECTORS) / LOCK_FILE).read_text(encoding="utf-8"))


def missing(cache: Path, artifacts: Sequence[Artifact]) -> list[Artifact]:
    """What the cache lacks. A file gets its final name only once verified, so presence is enough."""
    return [artifact for artifact in artifacts if not (cache / artifact.path).is_file()]


def damaged(cache: Path, artifacts: Sequence[Artifact]) -> list[Artifact]:
    """What is in the cache, but no longer as the lock says: a disk or a power cut did it, or somebody."""
    present = [artifact for artifact in artifacts if (cache / artifact.path).is_file()]
    return [artifact for artifact in present if sha256(cache / artifact.path) != artifact.sha256]


def plugin_is_whole(cache: Path, artifacts: Sequence[Artifact]) -> bool:
    """Whether the Connect plugin is unpacked, with every file in its size."""
    archive, unpacked = cache / _plugin(artifacts).path, _plugin_folder(cache, artifacts)
    try:
        return unpacked.is_dir() and not differs(archive, unpacked)
    except ArchiveError:
        return False


def ensure(cache: Path, artifacts: Sequence[Artifact], progress: Progress | None = None) -> Jars:
    """Fetch what the cache lacks, verify it, unpack the Connect plugin.

    `progress` is called with the number of files done and wanted. Raises ``ArtifactError``.
    """
    with _told(cache):
        cache.mkdir(parents=True, exist_ok=True)
        if missing(cache, artifacts) or not _plugin_folder(cache, artifacts).is_dir():
            with _exclusive(cache / "fetch.lock"):
                _remove_leftovers(cache)
                _fetch(cache, missing(cache, artifacts), progress or (lambda _done, _wanted: None))
                _unpack_plugin(cache, artifacts)
    class_path = tuple(artifact.path for artifact in artifacts if artifact.on_class_path)
    return Jars(class_path, _plugin_folder(cache, artifacts).relative_to(cache))


def remove_damaged(cache: Path, artifacts: Sequence[Artifact]) -> list[str]:
    """Remove what is no longer as the lock says, so that `ensure` gets it anew; returns what that was.

    Raises ``ArtifactError``.
    """
    unpacked = _plugin_folder(cache, artifacts)
    with _told(cache):
        broken = damaged(cache, artifacts)
        torn = unpacked.is_dir() and not plugin_is_whole(cache, artifacts)
        if broken or torn:
            with _exclusive(cache / "fetch.lock"):
                for artifact in broken:
                    (cache / artifact.path).unlink(missing_ok=True)
                if torn:
                    shutil.rmtree(unpacked)
    return [artifact.coordinates for artifact in broken] + ([unpacked.name] if torn else [])


@contextmanager
def _told(cache: Path) -> Iterator[None]:
    """An error of the file system, as a sentence that says what to do."""
    try:
        yield
    except OSError as error:
        raise ArtifactError(
            f"the files of Kafka and Debezium can't be kept in {cache} ({error.strerror or error}): make that folder "
            "writable, free some space, or name another one with NEONBLUE_CACHE_DIR"
        ) from error


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
        raise ArtifactError(
            f"{artifact.coordinates} can't be downloaded ({_root(error)}): see whether this machine reaches "
            "Maven Central (a proxy is named by HTTPS_PROXY), then run 'neonblue up' again; "
            "what was fetched is kept"
        ) from error
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
    archive, target = cache / _plugin(artifacts).path, _plugin_folder(cache, artifacts)
    if target.is_dir():
        return
    try:
        unpack(archive, target)
    except ArchiveError as error:
        archive.unlink(missing_ok=True)
        raise ArtifactError(
            f"the Connect plugin can't be unpacked: {error}; it was removed, the next start fetches it again"
        ) from error


def _remove_leftovers(cache: Path) -> None:
    """What a fetch left that was killed: its folders have no other owner while the lock is held."""
    for pattern in ("download-*", "plugins/.unpack-*"):
        for leftover in cache.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)


def _root(error: BaseException) -> str:
    """The first cause, in a line: what the libraries between say of it is long."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
