"""What is sent to link two ids, and what is answered."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from neonblue.contract.limits import KEY_LENGTH
from neonblue.contract.requests import DEFAULT_UNIT_TYPE


def _storable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("contains half of a surrogate pair, which is no character") from None
    return text


Id = Annotated[
    str,
    StringConstraints(min_length=1, max_length=KEY_LENGTH, pattern=r"^[^\x00-\x1f]+$"),
    AfterValidator(_storable),
]


class LinkIn(BaseModel):
    """Both ids are of one unit type. An anonymous id belongs to one person, for good."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"anonymous_id": "cookie-7f3a", "user_id": "user-42"}]},
    )

    anonymous_id: Id
    user_id: Id
    unit_type: Id = DEFAULT_UNIT_TYPE

    @model_validator(mode="after")
    def _two_ids(self) -> Self:
        if self.anonymous_id == self.user_id:
            raise ValueError("user_id: must not be the anonymous_id")
        return self


class Conflict(BaseModel):
    """An experiment in which the two ids have different variants: the person is left out of its analysis."""

    experiment: str
    anonymous_variant: str
    user_variant: str
    first: str = Field(description="The variant that was given first")


class LinkOut(BaseModel):
    """`adopted`: experiments in which the person took over the anonymous id's variant."""

    anonymous_id: str
    user_id: str
    unit_type: str
    created: bool = Field(description="False where the link exists already")
    adopted: list[str]
    conflicts: list[Conflict]
