"""Entity tags: who changes a thing says which state of it they saw (RFC 9110, section 13).

An endpoint that shows one thing answers with `ETag`; one that changes it takes `IfMatch` and calls
`require_match` on the row that it locked, before it changes anything:

    return tagged(response, layer, layer.version)
    require_match(if_match, version_tag(row["version"]))
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Annotated, TypeVar

from fastapi import Header, Response

from api.http.problems import Problem

Shown = TypeVar("Shown")

IfMatch = Annotated[
    str | None,
    Header(description="The `ETag` of the state that this changes; `*` for any", examples=['"7"']),
]
IfNoneMatch = Annotated[
    str | None, Header(description="The `ETag` of a state at hand: answered 304 where it is the current one")
]

_TAGS = re.compile(r'\s*(?:(W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,\s*|$))')
_LENIENT = re.compile(r'(?:W/)?("[^"]*"|[^\s,"]+)')
_ANY = "*"
_HEADER_LENGTH = 2_000


def version_tag(version: int) -> str:
    """The tag of a thing whose every change counts its version up."""
    return f'"{version}"'


def tagged(response: Response, shown: Shown, version: int) -> Shown:
    """What is answered, with its state's ETag."""
    response.headers["etag"] = version_tag(version)
    return shown


def content_tag(content: bytes) -> str:
    """The tag of what has no version: a hash of its canonical bytes."""
    return f'"{sha256(content).hexdigest()[:32]}"'


def require_match(if_match: str | None, current: str) -> None:
    """Let a change go on whose maker saw the current state.

    Raises Problem: 428 `if_match_required` without the header, 412 `changed_meanwhile` (with the current tag),
    400 `invalid_etag`.
    """
    if if_match is None:
        raise Problem(
            428, "if_match_required", "Send If-Match with the ETag of the state you saw", field="if-match"
        )
    if not _names(if_match, current):
        raise Problem(
            412,
            "changed_meanwhile",
            "It was changed since you read it: read it again",
            field="if-match",
            headers={"etag": current},
            members={"etag": current},
        )


def is_current(if_none_match: str | None, current: str) -> bool:
    """Whether the client has the current state, so that 304 says all.

    Any list is read, weak tags and those that lost their quotes on the way too: what can't be read is another state,
    and the answer is a whole one.
    """
    if if_none_match is None:
        return False
    if if_none_match.strip() == _ANY:
        return True
    return current.strip('"') in {tag.strip('"') for tag in _LENIENT.findall(if_none_match)}


def _names(header: str, current: str) -> bool:
    """Whether If-Match, a list of tags, holds the current one. A weak tag never does."""
    if header.strip() == _ANY:
        return True
    position, found = 0, False
    while position < len(header):
        match = _TAGS.match(header, position)
        if match is None or len(header) > _HEADER_LENGTH:
            raise Problem(400, "invalid_etag", 'Entity tags look like "7" or W/"7"', field="if-match")
        found = found or (match[2] == current and match[1] is None)
        position = match.end()
    return found
