"""Runs a service of ``compose.yaml`` without an engine: its files read-only, its user, its mounts, no capability."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ADDRESSES = "127.0.0.1 localhost postgres valkey kafka clickhouse connect api dagster\n"
"""All services are in one network, as they are for each other in the engine's."""


@dataclass(frozen=True, slots=True)
class Container:
    """A service, its image's files and configuration, and where its volumes and secrets lie."""

    name: str
    service: dict[str, Any]
    root: Path
    configuration: dict[str, Any]
    deployment: Path
    volumes: Path

    def start(self, *arguments: str, log: Path, **environment: str) -> subprocess.Popen[bytes]:
        """Its program, in mounts of its own. arguments: in place of its command. environment: beside what it has."""
        script = "\n".join(["set -e", *self._mounts(), "exec " + self._entered(arguments, environment)])
        with log.open("ab") as file:
            return subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *arguments: str, log: Path, **environment: str) -> int:
        return self.start(*arguments, log=log, **environment).wait()

    def within(
        self, process: subprocess.Popen[bytes], command: list[str]
    ) -> subprocess.CompletedProcess[str]:
        """Another program in the mounts of one that runs, as the same user."""
        words = ["nsenter", f"--target={process.pid}", "--mount", "sh", "-c", self._as_user(command, {})]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def healthy(self, process: subprocess.Popen[bytes]) -> bool:
        """What its health check says."""
        test: list[str] = [word.replace("$$", "$") for word in self.service["healthcheck"]["test"]]
        command = test[1:] if test[0] == "CMD" else ["/bin/sh", "-c", test[1]]
        return self.within(process, command).returncode == 0

    def _mounts(self) -> list[str]:
        made = [f"mount --bind {self._at('')} {self._at('')}"]
        for entry in self.service.get("tmpfs", []):
            path, _, options = entry.partition(":")
            allowed = "exec" if "exec" in options else "noexec"
            made.append(self._made(path, f"-t tmpfs -o mode=1777,nosuid,nodev,{allowed} tmpfs"))
        for volume in self.service.get("volumes", []):
            source = Path(volume["source"])
            if volume["type"] == "volume":
                source = self.volumes / volume["source"]
                source.mkdir(parents=True, exist_ok=True)
                # A new volume has the mode of the image's folder.
                source.chmod((self.root / volume["target"].lstrip("/")).stat().st_mode & 0o7777)
            made.append(self._made(volume["target"], f"--bind {shlex.quote(str(source))}", source.is_file()))
        for secret in self.service.get("secrets", []):
            source = self.deployment / "secrets" / secret["source"]
            target = secret.get("target") or secret["source"]
            place = target if target.startswith("/") else f"/run/secrets/{target}"
            made.append(self._made(place, f"--bind {shlex.quote(str(source))}", file=True))
        made += [self._made("/proc", "-t proc proc"), self._made("/dev", "--rbind /dev")]
        (self.root / "etc" / "hosts").write_text(ADDRESSES)
        return [*made, f"mount -o remount,bind,ro {self._at('')}"]

    def _made(self, path: str, how: str, file: bool = False) -> str:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if file:
            place.touch()
        else:
            place.mkdir(exist_ok=True)
        return f"mount {how} {self._at(path)}"

    def _at(self, path: str) -> str:
        return shlex.quote(str(self.root / path.lstrip("/")))

    def _entered(self, arguments: tuple[str, ...], environment: dict[str, str]) -> str:
        entry = self.service.get("entrypoint") or self.configuration.get("Entrypoint", [])
        command = list(arguments) or self.service.get("command") or self.configuration.get("Cmd", [])
        return self._as_user([*entry, *(word.replace("$$", "$") for word in command)], environment)

    def _as_user(self, command: list[str], environment: dict[str, str]) -> str:
        given = dict(one.split("=", 1) for one in self.configuration.get("Env", []))
        given |= {
            name: str(value) for name, value in self.service.get("environment", {}).items()
        } | environment
        user, _, group = self.service["user"].partition(":")
        lowered = [
            "setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs",
            "--bounding-set=-all", "--inh-caps=-all",
        ]  # fmt: skip
        folder = self.configuration.get("WorkingDir") or "/"
        moved = ["sh", "-c", f'cd {shlex.quote(folder)}; exec "$@"', "--"]
        variables = [f"{name}={value}" for name, value in given.items()]
        words = ["chroot", str(self.root), "env", "-i", *variables, *lowered, *moved, *command]
        return shlex.join(words)


def end(process: subprocess.Popen[bytes]) -> None:
    """As an engine does: SIGTERM, then SIGKILL to all of its session."""
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        return
