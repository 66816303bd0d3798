"""Types of fields that people write."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

NAME_LENGTH = 200


def storable(text: str) -> str:
    """Refuse what PostgreSQL can't hold. Raises ValueError."""
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("contains half of a surrogate pair, which is no character") from None
    return text


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_LENGTH, strip_whitespace=True),
    AfterValidator(storable),
]


class Strict(BaseModel):
    """No unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)
