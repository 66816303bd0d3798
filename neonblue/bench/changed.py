"""A stack's own settings, changed for a while in its ``neonblue.env``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from neonblue.files import write_private
from neonblue.settings import ENVIRONMENT_FILE


class ChangedSettings:
    """The file as it was, and what is in it meanwhile."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / ENVIRONMENT_FILE
        self._before = self._path.read_text(encoding="utf-8")
        self._given: set[str] = set()
        self._written = self._before

    def use(self, variables: Mapping[str, str | None]) -> None:
        """Set these; None takes one away. Raises OSError."""
        now = self._path.read_text(encoding="utf-8")
        if now not in (self._before, self._written):
            self._before = self._rebased(now)
        self._given |= variables.keys()
        lines = [f"{name}='{value}'\n" for name, value in variables.items() if value is not None]
        self._written = _without(self._before, set(variables)) + "".join(lines)
        write_private(self._path, self._written)

    def put_back(self) -> None:
        """As it was. What somebody else has written into it meanwhile stays. Raises OSError."""
        now = self._path.read_text(encoding="utf-8")
        if now == self._before:
            return
        write_private(self._path, self._before if now == self._written else self._rebased(now))

    def _rebased(self, now: str) -> str:
        """What somebody else has made of the file, with these settings as they were."""
        own = [line for line in self._before.splitlines(keepends=True) if _name(line) in self._given]
        return _without(now, self._given) + "".join(own)


@contextmanager
def changed(data_dir: Path) -> Iterator[ChangedSettings]:
    """The settings of the stack in that folder, put back at the end, however that comes."""
    settings = ChangedSettings(data_dir)
    try:
        yield settings
    finally:
        settings.put_back()


def _without(text: str, names: set[str]) -> str:
    kept = "".join(line for line in text.splitlines(keepends=True) if _name(line) not in names)
    return kept if not kept or kept.endswith("\n") else f"{kept}\n"


def _name(line: str) -> str:
    """The variable that a line sets, '' where it sets none."""
    return line.partition("=")[0].removeprefix("export ").strip() if "=" in line else ""
