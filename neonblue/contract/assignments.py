"""Requests for assignments: the rule that the type can't express."""

from __future__ import annotations

from neonblue.contract.codes import Code
from neonblue.contract.decoding import ItemDecoder
from neonblue.contract.limits import EVENT_BYTES
from neonblue.contract.messages import encode_message
from neonblue.contract.requests import AssignmentRequest
from neonblue.contract.violation import ContractError


def assignment_decoder() -> ItemDecoder[AssignmentRequest]:
    """Reads the bodies of `POST /v1/assignments`."""
    return ItemDecoder(AssignmentRequest, _check)


def _check(request: AssignmentRequest) -> None:
    if request.attributes is not None and len(encode_message(request.attributes)) > EVENT_BYTES // 2:
        raise ContractError(Code.TOO_LARGE, f"attributes hold at most {EVENT_BYTES // 2} bytes", "attributes")
