"""What a page's form sends. The body was read before the call."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from api.http.problems import Problem

FORM = "application/x-www-form-urlencoded"
_FIELDS = 2_000


def read_form(request: Request) -> dict[str, str]:
    """The fields by name, the last of each. Raises Problem: 415 for another type, 400 for what can't be read."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise Problem(415, "unsupported_media_type", f"The body must be {FORM}", field="content-type")
    try:
        body: bytes = request.state.body
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict"))
    except ValueError:
        raise Problem(
            400, "invalid_form", f"The form must be UTF-8 and have at most {_FIELDS} fields"
        ) from None
