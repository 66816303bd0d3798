"""Flags are experiments: the key names one, the targeting key is the unit, the variant's payload is the value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import UNSET

from api.assignments.service import AssignmentService
from api.evaluation.schemas import (
    BulkEvaluation,
    ErrorCode,
    EvaluationFailure,
    EvaluationRequest,
    EvaluationSuccess,
    FlagReason,
)
from api.experiments import payloads
from neonblue.bucketing import Reason
from neonblue.contract.answers import AssignmentAnswer, Status
from neonblue.contract.assignments import assignment_decoder
from neonblue.contract.codes import Code
from neonblue.contract.decoding import ItemDecoder
from neonblue.contract.requests import AssignmentRequest
from neonblue.contract.violation import Violation

TARGETING_KEY = "targetingKey"
UNIT_TYPE = "unit_type"
"""An attribute that says of which type the unit is, where all flags are asked for."""

_decode = msgspec.json.Decoder(EvaluationRequest).decode
_encode = msgspec.json.Encoder().encode
_REASONS: Mapping[str, FlagReason] = MappingProxyType(
    {
        Reason.FORCED: FlagReason.TARGETING_MATCH,
        Reason.RELEASED: FlagReason.STATIC,
        Reason.CONCLUDED: FlagReason.STATIC,
        Reason.DRAFT: FlagReason.DISABLED,
        Reason.NOT_STARTED: FlagReason.DISABLED,
        Reason.PAUSED: FlagReason.DISABLED,
        Reason.HOLDOUT: FlagReason.DEFAULT,
        Reason.NOT_TARGETED: FlagReason.DEFAULT,
        Reason.NOT_IN_LAYER: FlagReason.DEFAULT,
        Reason.NOT_IN_ALLOCATION: FlagReason.DEFAULT,
        Reason.DROPPED_ARM: FlagReason.DEFAULT,
        Reason.ENROLMENT_CLOSED: FlagReason.DEFAULT,
        Reason.NOT_IN_RELEASE: FlagReason.DEFAULT,
    }
)
_NO_SUCH_FLAG = "no experiment that is in use has this key"
_NO_FLAG = (Code.UNKNOWN_EXPERIMENT, Code.NOT_RUNNING, Code.VARIANT_REQUIRED)


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and JSON body."""

    status: int
    body: bytes


@dataclass(slots=True)
class OfrepService:
    """Evaluates flags by assigning the unit."""

    assignments: AssignmentService
    _decoder: ItemDecoder[AssignmentRequest] = field(default_factory=assignment_decoder, init=False)

    async def one(self, key: str, body: bytes) -> Reply:
        """One flag, which the application uses now: the exposure is recorded. Raises Unavailable, psycopg.Error."""
        request = self._read(body, {"experiment": key, "expose": True})
        if isinstance(request, EvaluationFailure):
            request.key = key
            return _failure(request)
        (found,) = await self.assignments.answer([request])
        if found.status is Status.REJECTED or found.reason == Reason.ARCHIVED:
            return _failure(_rejected(key, found))
        return Reply(200, _encode(_success(found)))

    async def all(self, body: bytes) -> Reply:
        """Every flag of the unit's type; none is used yet: no exposure is recorded, nor an assignment for its sake."""
        request = self._read(body, {})
        if isinstance(request, EvaluationFailure):
            return _failure(request)
        answers = await self.assignments.answer([request], unused=True)
        flags: list[EvaluationSuccess | EvaluationFailure] = [
            _rejected(found.experiment, found) if found.status is Status.REJECTED else _success(found)
            for found in answers
        ]
        return Reply(200, _encode(BulkEvaluation(flags)))

    def _read(self, body: bytes, fields: dict[str, Any]) -> AssignmentRequest | EvaluationFailure:
        """The body as a request for an assignment, by the same rules as any other."""
        try:
            context = _decode(body).context
        except msgspec.ValidationError as error:
            return EvaluationFailure(errorCode=ErrorCode.INVALID_CONTEXT, errorDetails=str(error))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return EvaluationFailure(errorCode=ErrorCode.PARSE_ERROR, errorDetails="the body is no JSON")
        attributes = dict(context or {})
        unit = attributes.pop(TARGETING_KEY, None)
        if unit is None or unit == "":
            return EvaluationFailure(
                errorCode=ErrorCode.TARGETING_KEY_MISSING, errorDetails=f"context.{TARGETING_KEY} is required"
            )
        if "experiment" not in fields and UNIT_TYPE in attributes:
            fields = fields | {UNIT_TYPE: attributes[UNIT_TYPE]}
        wanted = fields | {"user_id": unit} | ({"attributes": attributes} if attributes else {})
        (request,) = self._decoder.decode(_encode(wanted)).items
        if isinstance(request, Violation):
            if request.field == "experiment":
                return EvaluationFailure(errorCode=ErrorCode.FLAG_NOT_FOUND, errorDetails=_NO_SUCH_FLAG)
            where = TARGETING_KEY if request.field == "user_id" else request.field
            return EvaluationFailure(
                errorCode=ErrorCode.INVALID_CONTEXT, errorDetails=f"{where}: {request.message}"
            )
        return request


def value_of(answer: AssignmentAnswer) -> Any:
    """The payload's `value` where it holds nothing else, the payload, or the variant's key where it has none.

    A `value` of null is no value of any type: absent, so that the application's own default holds.
    """
    if answer.payload is None:
        return answer.variant_key
    value = payloads.value_of(answer.payload)
    return UNSET if value is None else value


def _success(answer: AssignmentAnswer) -> EvaluationSuccess:
    metadata: dict[str, bool | str | int] = {"version": answer.version or 0, "durable": answer.durable}
    if answer.reason is not None:
        metadata["reason"] = str(answer.reason)
    if answer.served_by is not None:
        metadata["served_by"] = str(answer.served_by)
    if not answer.in_experiment:
        metadata["in_experiment"] = False
    if answer.variant_key is None:
        return EvaluationSuccess(
            key=answer.experiment, reason=FlagReason.DEFAULT, variant="", metadata=metadata
        )  # with a variant, which the protocol does not ask for: Python's provider fails without
    return EvaluationSuccess(
        key=answer.experiment,
        reason=_REASONS.get(answer.reason or "", FlagReason.SPLIT),
        variant=answer.variant_key,
        value=value_of(answer),
        metadata=metadata,
    )


def _rejected(key: str, answer: AssignmentAnswer) -> EvaluationFailure:
    if answer.code in _NO_FLAG or answer.reason == Reason.ARCHIVED:
        return EvaluationFailure(key=key, errorCode=ErrorCode.FLAG_NOT_FOUND, errorDetails=_NO_SUCH_FLAG)
    return EvaluationFailure(
        key=key, errorCode=ErrorCode.INVALID_CONTEXT, errorDetails=f"{answer.field}: {answer.message}"
    )


def _failure(failure: EvaluationFailure) -> Reply:
    return Reply(404 if failure.errorCode is ErrorCode.FLAG_NOT_FOUND else 400, _encode(failure))
