"""``python -m tests.image [FOLDER]``: build both images, print their layers, and rehearse the whole deployment.

For root, as it mounts. FOLDER (default: a temporary one) keeps the images for the next time; 6 GB. Nothing listens on
this machine's network: the rehearsal has one of its own. Exits with 1 where something failed, with 2 where tools are
missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.image import building

MADE = ("/etc/neonblue", "/run/secrets", "/var/lib/kafka", "/var/run/postgresql")
"""Folders that the rehearsal mounts something at; those that the machine did not have are removed."""
NEEDED = ("buildah", "mmdebstrap", "unshare", "nsenter", "setpriv", "ip")


def lacking() -> str:
    """Why it can't be done here; '' where it can."""
    if os.geteuid() != 0:
        return "building and mounting images is root's"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"missing: {', '.join(missing)} (apt-get install buildah mmdebstrap util-linux iproute2)"
    return ""


def main(folder: Path) -> int:
    if reason := lacking():
        print(reason, file=sys.stderr)
        return 2
    store = building.Store(folder)
    store.base()
    for target in building.TARGETS:
        store.build(target)
        print(f"\n{target}: {building.megabytes(sum(layer.size for layer in store.layers(target)))}")
        for layer in store.layers(target):
            print(f"  {building.megabytes(layer.size):>9}  {layer.made_by}")
    with tempfile.TemporaryDirectory(prefix="neonblue-rehearsal-") as place:
        made = [place for place in MADE if not Path(place).exists()]
        apart = ["unshare", "--mount", "--net", "--propagation", "private"]
        command = [sys.executable, "-m", "tests.image.rehearsal", str(folder), place]
        try:
            return subprocess.run([*apart, *command], check=False).returncode
        finally:
            for empty in made:
                Path(empty).rmdir()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1]).absolute()))
    with tempfile.TemporaryDirectory(prefix="neonblue-image-") as temporary:
        sys.exit(main(Path(temporary)))
