"""The figures' colours. In a page each is a CSS variable, so that one drawing serves light, dark and paper."""

from __future__ import annotations

from enum import StrEnum

from neonblue.statistics import Verdict


class Ink(StrEnum):
    """Colours by what they say; the values are those of light paper, where figures stand alone."""

    PAPER = "#ffffff"
    TEXT = "#1c2430"
    MUTED = "#5b6675"
    GRID = "#d9dee6"
    BETTER = "#0b7a55"
    WORSE = "#b3261e"
    UNDECIDED = "#4a5a73"
    ARM_0 = "#6b7787"
    ARM_1 = "#0061c2"
    ARM_2 = "#b45309"
    ARM_3 = "#7a3fb0"
    ARM_4 = "#0f766e"
    ARM_5 = "#b0256f"

    @property
    def variable(self) -> str:
        """The CSS variable that holds this colour in a page."""
        return f"--{self.name.lower().replace('_', '-')}"


_ARMS = (Ink.ARM_1, Ink.ARM_2, Ink.ARM_3, Ink.ARM_4, Ink.ARM_5)
_MARKERS = ("s", "o", "D", "^", "v", "P")
_LINES = ("--", "-", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))


def arm_ink(position: int) -> Ink:
    """Control (position 0) is grey; the others take turns."""
    return Ink.ARM_0 if position == 0 else _ARMS[(position - 1) % len(_ARMS)]


def arm_marker(position: int) -> str:
    """Arms differ by shape too: colour alone tells too few readers."""
    return _MARKERS[position % len(_MARKERS)]


def arm_line(position: int) -> str | tuple[int, tuple[int, ...]]:
    """Arms differ by dashes too."""
    return _LINES[position % len(_LINES)]


def verdict_ink(verdict: Verdict) -> Ink:
    """Better, worse, or not decided."""
    return {Verdict.BETTER: Ink.BETTER, Verdict.WORSE: Ink.WORSE}.get(verdict, Ink.UNDECIDED)
