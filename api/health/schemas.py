"""What the health calls answer."""

from __future__ import annotations

from pydantic import BaseModel


class Alive(BaseModel):
    """Whether the process lives: `ok`, or which work in the background it can't go on with."""

    status: str = "ok"


class Readiness(BaseModel):
    """`components`: each one's state, `ok` or what is wrong with it; some may be wrong while events can be stored."""

    ready: bool
    components: dict[str, str]
    pipeline_lag_bytes: int
