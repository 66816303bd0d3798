"""RFC 9457 problem details: what a refused request is told."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from neonblue.contract.violation import Violation

T = TypeVar("T")

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - the standard's word
    """Ends a request with `status`. `code` is stable; `detail` says what to do; `members` are further ones.

    `token`: the number of the token that was refused, where it is one of ours; for the audit log, never told.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
        token: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.headers = dict(headers or {})
        self.members = dict(members or {})
        self.token = token

    @classmethod
    def of(cls, violation: Violation, status: int = 400) -> Problem:
        """A body that can't be read at all."""
        return cls(status, violation.code, violation.message, field=violation.field)

    def body(self, request_id: str) -> bytes:
        """The document as JSON."""
        document: dict[str, Any] = {
            "type": f"urn:neonblue:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.field is not None:
            document["field"] = self.field
        return msgspec.json.encode(document | self.members | {"request_id": request_id})


def found(thing: T | None, name: str) -> T:
    """The thing, which has this name. Raises Problem `not_found` where there is none."""
    if thing is None:
        raise Problem(404, "not_found", f"There is no such {name}")
    return thing


def disk_full(detail: str) -> Problem:
    """There is no room: a person frees some, which takes longer than an outage that mends itself."""
    return Problem(503, "disk_full", detail, headers={"retry-after": "10"})


def unavailable(detail: str) -> Problem:
    """The store is away; the same request may be sent again safely."""
    return Problem(503, "unavailable", detail, headers={"retry-after": "1"})
