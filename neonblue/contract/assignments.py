"""Requests for assignments: the rules that the type can't express."""

from __future__ import annotations

from neonblue.contract.codes import Code
from neonblue.contract.decoding import ItemDecoder
from neonblue.contract.limits import EVENT_BYTES
from neonblue.contract.messages import encode_message
from neonblue.contract.requests import AssignmentRequest
from neonblue.contract.texts import check_text, count_keys
from neonblue.contract.violation import ContractError


def assignment_decoder() -> ItemDecoder[AssignmentRequest]:
    """Reads the bodies of `POST /v1/assignments`."""
    return ItemDecoder(AssignmentRequest, _inspect)


def _inspect(request: AssignmentRequest, texts: bool) -> int:
    if texts:
        for field in ("experiment", "user_id", "unit_type", "variant_key", "shown_variant"):
            text = getattr(request, field)
            if text is not None:
                check_text(text, field)
    keys = (
        1
        + (request.experiment is not None)
        + (request.unit_type is not None)
        + (request.variant_key is not None)
        + (request.timestamp is not None)
        + (request.expose is not None)
        + (request.shown_variant is not None)
    )
    if request.attributes is not None:
        keys += 1 + count_keys(request.attributes, "attributes", texts=texts)
        if len(encode_message(request.attributes)) > EVENT_BYTES // 2:
            raise ContractError(
                Code.TOO_LARGE, f"attributes hold at most {EVENT_BYTES // 2} bytes", "attributes"
            )
    return keys
