"""What is written and read of a person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from neonblue.contract.limits import EVENT_BYTES
from neonblue.contract.messages import encode_message
from neonblue.contract.texts import count_keys
from neonblue.contract.violation import ContractError

ATTRIBUTES_BYTES = EVENT_BYTES // 2


def _storable(attributes: dict[str, Any]) -> dict[str, Any]:
    """The rules that an assignment's attributes obey."""
    try:
        count_keys(attributes, "attributes", texts=True)
        size = len(encode_message(attributes))
    except ContractError as error:
        raise ValueError(str(error)) from None
    except UnicodeEncodeError:
        raise ValueError("contains half of a surrogate pair, which is no character") from None
    if size > ATTRIBUTES_BYTES:
        raise ValueError(f"attributes hold at most {ATTRIBUTES_BYTES} bytes")
    return attributes


Attributes = Annotated[dict[str, Any], AfterValidator(_storable)]


class AttributesIn(BaseModel):
    """What is known of a person."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"attributes": {"country": "DE", "plan": "pro"}}]}
    )

    attributes: Attributes


class UserOut(BaseModel):
    """A person as known to assignment and analysis. `user_id` is the id the request named."""

    user_id: str
    unit_type: str
    attributes: dict[str, Any] = Field(description="Empty where nothing is known")
    created_at: datetime
