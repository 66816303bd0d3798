"""A file's arms: their keys, and which of them is the control."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import TypeVar

from neonblue.tables.errors import FileError
from neonblue.tables.roles import normal

MOST_ARMS = 64
_NEUTRAL = frozenset(
    {
        "control",
        "group",
        "arm",
        "variant",
        "variation",
        "version",
        "test",
        "the",
        "page",
        "bucket",
        "cell",
        "cohort",
    }
    | {
        "a",
        "b",
        "v",
        "old",
        "original",
        "checkout",
        "users",
        "user",
        "default",
        "current",
        "existing",
        "design",
    }
    | {"baseline", "is", "in", "experiment", "exp", "ab", "treatment", "global", "holdout", "no"}
)
"""Words that may stand beside `control` in the name of a control."""

W = TypeVar("W", int, float)
CONTROLS = (
    frozenset({"control", "ctl", "ctrl", "control_group", "controlgroup", "kontrolle", "kontrollgruppe"}),
    frozenset({"a", "0", "false", "off", "baseline", "original", "holdout", "control_a", "group_a"}),
)
"""What people call a control: the first set wins over the second."""


def slug(text: str) -> str:
    """A key of letters, digits, `_`, `.` and `-` which starts with a letter or digit. FileError where none is left."""
    ascii_text = unicodedata.normalize("NFKD", text.strip().lower()).encode("ascii", "ignore").decode()
    made = re.sub(r"[^a-z0-9_.-]+", "_", ascii_text).strip("_.-")
    if not made:
        raise FileError(f"{text!r} holds no letter or digit to make a key of")
    return made[:128]


def arm_keys(names: Collection[str]) -> dict[str, str]:
    """Keys by name, in the order of the names. Raises FileError for arms that are one arm written in two ways."""
    alike: dict[str, list[str]] = {}
    for name in sorted(names):
        alike.setdefault(_spelled(name), []).append(name)
    for group in alike.values():
        if len(group) > 1:
            raise FileError(
                f"--variant: the arms {' and '.join(map(repr, group))} differ only in capitals, spaces or signs: "
                "write each arm in one way"
            )
    keys = {name: _key(name) for name in sorted(names)}
    shared = {key for key, count in Counter(keys.values()).items() if count > 1}
    return {name: f"{key[:119]}_{_digest(name)}" if key in shared else key for name, key in keys.items()}


def choose_control(keys: Mapping[str, str], given: str | None) -> str:
    """The control's name: as given, else the one arm that is called so. Raises FileError where that is unclear."""
    if given is not None:
        for name, key in keys.items():
            if given.strip() in (name, key):
                return name
        folded = [name for name in keys if name.casefold() == given.strip().casefold()]
        if len(folded) == 1:
            return folded[0]
        raise FileError(f"--control: no arm is called {given!r}; {arms(keys)}")
    for known in (*CONTROLS, None):
        telling = [name for name in keys if (_tells(name) if known is None else normal(name) in known)]
        if len(telling) == 1:
            return telling[0]
        if telling:
            break
    raise FileError(f"--control: say which arm is the control; {arms(keys)}")


def weights_by_arm(keys: Mapping[str, str], given: Mapping[str, W]) -> dict[str, W | int]:
    """Each arm's weight by its name, 1 where none is given. Raises FileError for an arm that there is not."""
    unknown = sorted(set(given) - set(keys) - set(keys.values()))
    if unknown:
        raise FileError(f"--weight: no arm is called {', '.join(unknown)}; {arms(keys)}")
    return {name: given.get(name, given.get(key, 1)) for name, key in keys.items()}


def arms(keys: Collection[str]) -> str:
    """The arms in words."""
    return f"the arms are {', '.join(keys)}"


def _key(name: str) -> str:
    try:
        return slug(name)
    except FileError:
        return f"arm_{_digest(name)}"


def _digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:8]


def _spelled(name: str) -> str:
    """What is the same in all spellings of an arm; a sign before a number, as in -5 %, is no matter of spelling."""
    text = re.sub(r"[\s_.]+", "_", unicodedata.normalize("NFKC", name).casefold())
    return re.sub(r"(?<=\w)[-_]+(?=[^\W\d]|$)|(?<=[^\W_])-+(?=\d)", "_", text).strip("_")


def _tells(name: str) -> bool:
    """Whether the words tell a control: beside `control` only such as add nothing, so that parental_control is none."""
    words = set(re.findall(r"[^\W\d_]+", name.casefold()))
    return ("control" in words and words <= _NEUTRAL) or re.match(r"no[ _]", name.casefold()) is not None
