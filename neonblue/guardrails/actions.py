"""What a breach does: the guardrail's own word, else the ramp's, else a pause. Pure."""

from __future__ import annotations

DEFAULT_ACTION = "pause"


def action_of(on_breach: str | None, ramp_on_breach: str | None) -> str:
    """`alert`, `hold`, `pause` or `roll_back`.

    on_breach: what the guardrail says (`alert`, `pause`, `roll_back`); None: it says nothing. ramp_on_breach: what the
    experiment's ramp says (`hold`, `pause`, `roll_back`); None: there is none.
    """
    return on_breach or ramp_on_breach or DEFAULT_ACTION
