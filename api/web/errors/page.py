"""What a person is told of a refusal, and where to go. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from api.http.problems import Problem

_TITLES = {
    400: "This can’t be read",
    403: "You may not do this",
    404: "There is no such page",
    405: "There is no such page",
    409: "This can’t be done now",
    412: "It was changed meanwhile",
    422: "Something in this is not right",
    429: "Too many requests",
    503: "This can’t be shown now",
}
_NEXT = {
    403: "Ask an administrator for a token that may, and log in with it.",
    404: "The address may be mistyped, or what was here was deleted.",
    405: "Go on from the list of experiments.",
    409: "Go back, load the page again, and see how things stand.",
    422: "Go back and mend it.",
    429: "Wait a moment, then load the page again.",
    500: "It is in the API’s log under the number below: tell whoever runs NeonBlue.",
    503: "Load the page again in a moment. “neonblue status” on the server says what is down.",
}
_BY_CODE = {
    "csrf": "The form was opened before you logged in anew: go back, load the page again, and send it once more.",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """What happened, why, and what to do."""

    title: str
    detail: str
    next: str
    request_id: str


def refused_of(problem: Problem, request_id: str) -> Refused:
    """The problem as a page says it."""
    title = _TITLES.get(problem.status)
    if title is None:
        title = "Something failed" if problem.status >= 500 else HTTPStatus(problem.status).phrase
    detail = problem.detail.rstrip(".") + "."
    if problem.field and problem.status in (400, 422):
        detail = f"{problem.field}: {detail}"
    return Refused(title, detail, _BY_CODE.get(problem.code) or _NEXT.get(problem.status, ""), request_id)
