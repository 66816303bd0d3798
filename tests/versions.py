"""The unit tests under every Python that is promised and found here.

    python tests/versions.py [FOLDER]

Interpreters are looked for on the path and where pyenv and uv keep theirs. Each gets an environment of its own, pinned
as always, in FOLDER (default: a temporary one): 2 GB, one after the other, removed when its tests have ended. Prints
what came of each; exits 1 where one failed, or none was found.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
_CLASSIFIER = re.compile(r'"Programming Language :: Python :: (3\.\d+)"')


def promised() -> list[str]:
    """The versions that the package names."""
    return _CLASSIFIER.findall((ROOT / "pyproject.toml").read_text())


def interpreter(version: str) -> Path | None:
    """A Python of this version that starts and can make an environment."""
    kept = (Path.home() / ".pyenv" / "versions", Path.home() / ".local" / "share" / "uv" / "python")
    folders = [path for place in kept for path in sorted(place.glob(f"*{version}.*"), reverse=True)]
    found = [shutil.which(f"python{version}"), *(str(path / "bin" / "python") for path in folders)]
    check = f"import ensurepip, sys; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    for path in filter(None, found):
        try:
            subprocess.run([path, "-c", check], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return Path(path)
    return None


def tested(python: Path, folder: Path) -> bool:
    """Whether the unit tests pass under this interpreter."""
    environment = folder / "venv"
    try:
        run = subprocess.run(
            ["make", "--no-print-directory", "unit", f"VENV={environment}", f"PYTHON={python}"],
            cwd=ROOT,
            check=False,
        )
        return run.returncode == 0
    finally:
        shutil.rmtree(environment, ignore_errors=True)


def main(folder: Path) -> int:
    """Test all; the exit code."""
    told = {}
    for version in promised():
        python = interpreter(version)
        if python is None:
            told[version] = "not found here"
            continue
        print(f"\nPython {version}: {python}", flush=True)
        began = time.monotonic()
        came = "passed" if tested(python, folder) else "FAILED"
        told[version] = f"{came} in {time.monotonic() - began:.0f} s ({python})"
    print()
    for version, what in told.items():
        print(f"Python {version}  {what}")
    ran = [what for what in told.values() if what != "not found here"]
    return int(not ran or any(what.startswith("FAILED") for what in ran))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory(prefix="neonblue-versions-") as made:
        sys.exit(main(Path(made)))
