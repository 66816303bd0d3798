"""What a key gives in each state of its experiment to each kind of unit: the one table that every way is held to.

The arms are `a`, the control, and `b`; hash and stored assignment give each of these units `b`.
"""

from __future__ import annotations

from typing import NamedTuple


class Told(NamedTuple):
    """What a unit is told. reason: None where the variant is the experiment's own, which one way calls assigned."""

    variant: str | None
    reason: str | None
    served_by: str = "control"


OWN = Told("b", None, "experiment")
FORCED = Told("b", "forced", "experiment")
RELEASED = Told("b", "released", "release")
CLOSED = Told("a", "enrolment_closed")
HELD_OUT = Told("a", "holdout")
NOT_TARGETED = Told("a", "not_targeted")
NOTHING = Told(None, "archived")

KINDS = (
    "stored",  # and still meant
    "stored, not targeted any more",
    "linked",  # an anonymous id of a person who is stored
    "new",
    "erased",  # stored, before the person's data were erased
    "held out",
    "not targeted",
    "in another slot",  # of the experiment's layer
    "forced",  # a tester
)
_NEVER_STARTED = ("linked", "stored", "stored, not targeted any more", "erased")


def _all(told: Told) -> dict[str, Told]:
    return dict.fromkeys(KINDS, told) | {"forced": FORCED}


TABLE: dict[str, dict[str, Told]] = {
    "draft": _all(Told("a", "draft")),
    "scheduled": _all(Told("a", "not_started")),
    "running": {
        "stored": OWN,
        "stored, not targeted any more": OWN,
        "linked": OWN,
        "new": OWN,
        "erased": OWN,
        "held out": HELD_OUT,
        "not targeted": NOT_TARGETED,
        "in another slot": Told("a", "not_in_layer"),
        "forced": FORCED,
    },
    "running, enrolment closed": _all(CLOSED)
    | {"stored": OWN, "stored, not targeted any more": OWN, "linked": OWN},
    "paused": _all(Told("a", "paused")),
    "paused, enrolment closed": _all(Told("a", "paused")),
    "concluded": _all(Told("a", "concluded")),
    "rolled back": _all(Told("a", "concluded")),
    "released": _all(RELEASED)
    | {
        "stored, not targeted any more": NOT_TARGETED,
        "not targeted": NOT_TARGETED,
        "held out": HELD_OUT,
    },
    "released to everyone": _all(RELEASED) | {"held out": HELD_OUT},
    "released to nobody": _all(Told("a", "not_in_release"))
    | {
        "stored, not targeted any more": NOT_TARGETED,
        "not targeted": NOT_TARGETED,
        "held out": HELD_OUT,
    },
    "archived": dict.fromkeys(KINDS, NOTHING),
}
"""By the state, then by the kind of unit."""


def kinds_of(state: str) -> tuple[str, ...]:
    """The kinds of unit that there can be: nothing is stored before the start."""
    return tuple(kind for kind in KINDS if state not in ("draft", "scheduled") or kind not in _NEVER_STARTED)
