"""OFREP, OpenFeature's Remote Evaluation Protocol: what is sent and answered (open-feature/protocol)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import UNSET, Struct, UnsetType

_CONTEXT = {"targetingKey": "user-42", "country": "DE"}


class EvaluationRequest(Struct):
    """`context`: the targeting key, and attributes beside it."""

    context: dict[str, Any] | None = None


class ErrorCode(StrEnum):
    """OpenFeature's error codes."""

    PARSE_ERROR = "PARSE_ERROR"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    INVALID_CONTEXT = "INVALID_CONTEXT"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    GENERAL = "GENERAL"


class FlagReason(StrEnum):
    """OpenFeature's reasons. `DEFAULT`: the unit is left out, and where there is no value the application's own holds.

    `STATIC`: what was decided, the same for all. `DISABLED`: the control, while the experiment does not run.
    """

    SPLIT = "SPLIT"
    TARGETING_MATCH = "TARGETING_MATCH"
    DEFAULT = "DEFAULT"
    STATIC = "STATIC"
    DISABLED = "DISABLED"


class EvaluationFailure(Struct, kw_only=True):
    """Why a flag, or a whole request (then without key), was not evaluated."""

    key: str | UnsetType = UNSET
    errorCode: ErrorCode  # noqa: N815 - the protocol's name
    errorDetails: str  # noqa: N815


class EvaluationSuccess(Struct, kw_only=True):
    """A flag's value; absent where the application's own default holds."""

    key: str
    reason: FlagReason
    variant: str
    value: Any | UnsetType = UNSET
    metadata: dict[str, bool | str | int]


class BulkEvaluation(Struct):
    """Every running experiment of the unit's type, and what others give that ran."""

    flags: list[EvaluationSuccess | EvaluationFailure]


REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "context": {
                            "type": "object",
                            "required": ["targetingKey"],
                            "properties": {
                                "targetingKey": {"type": "string", "minLength": 1, "maxLength": 256}
                            },
                        }
                    },
                    "required": ["context"],
                },
                "example": {"context": _CONTEXT},
            }
        },
    }
}
