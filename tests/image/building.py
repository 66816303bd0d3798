"""Builds the targets of ``compose/Dockerfile`` with buildah on a Debian that mmdebstrap makes."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TARGETS = ("neonblue", "connect")
_BASE = "localhost/neonblue-base:1"
_SUITE = "trixie"
_TRUSTED = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_PACKAGES = "python3,python3-venv,ca-certificates"
"""What the official image of Python has beyond Debian's smallest."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of an image. Bytes, unpacked."""

    size: int
    made_by: str


class Store:
    """Images and containers in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def buildah(self, *arguments: object, show: bool = False) -> str:
        """What it prints; with `show`, on standard output. Raises CalledProcessError."""
        places = [
            "--root",
            self.folder / "store",
            "--runroot",
            self.folder / "run",
            "--storage-driver",
            "overlay",
        ]
        command = ["buildah", *map(str, places), *map(str, arguments)]
        done = subprocess.run(command, stdout=None if show else subprocess.PIPE, text=True, check=True)
        return (done.stdout or "").strip()

    def base(self) -> None:
        """A Debian with Python, where there is none yet. It trusts whom this machine trusts."""
        if self._has(_BASE):
            return
        archive = self.folder / "base.tar"
        subprocess.run(
            ["mmdebstrap", "--variant=minbase", "--quiet", f"--include={_PACKAGES}", _SUITE, str(archive)],
            check=True,
        )
        made = self.buildah("from", "scratch")
        self.buildah("add", made, archive, "/")
        self.buildah("copy", made, _AUTHORITIES, _AUTHORITIES)
        trusted = [f"--env={name}={_AUTHORITIES}" for name in _TRUSTED]
        self.buildah("config", *trusted, made)
        self.buildah("commit", "--rm", made, _BASE)
        archive.unlink()

    def build(self, target: str) -> None:
        chosen = ["--isolation", "chroot", "--layers", "--build-arg", f"BASE={_BASE}", "--target", target]
        file = ROOT / "compose" / "Dockerfile"
        self.buildah("build", *chosen, "--tag", image(target), "--file", file, ROOT, show=True)

    def layers(self, target: str) -> list[Layer]:
        """The lowest first."""
        described = self._described(target)
        commands = [
            _short(one.get("created_by", ""))
            for one in described["OCIv1"]["history"]
            if not one.get("empty_layer")
        ]
        known = {one["id"]: one for one in self._json("overlay-layers/layers.json")}
        images = {one["id"]: one for one in self._json("overlay-images/images.json")}
        found, layer = [], images[described["FromImageID"]]["layer"]
        while layer:
            found.append(int(known[layer]["diff-size"]))
            layer = known[layer].get("parent")
        return [Layer(size, made) for size, made in zip(reversed(found), commands, strict=True)]

    def configuration(self, target: str) -> dict[str, Any]:
        """The image's environment, entry point, command, user."""
        found: dict[str, Any] = self._described(target)["OCIv1"]["config"]
        return found

    def mounted(self, target: str) -> Path:
        """The image's files, in this process's mounts."""
        return Path(self.buildah("mount", self.buildah("from", image(target))))

    def _described(self, target: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", image(target)))
        return found

    def _has(self, name: str) -> bool:
        return name in self.buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines()

    def _json(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.folder / "store" / path).read_text())
        return found


def image(target: str) -> str:
    return f"localhost/{target}:rehearsed"


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _short(command: str) -> str:
    text = re.sub(r"\s+", " ", command.removeprefix("/bin/sh -c ").replace("#(nop)", "")).strip()
    return text if len(text) <= 100 else f"{text[:99]}…"
