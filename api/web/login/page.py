"""What the log-in says, and where it leads. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from api.http.problems import Problem

START = "/experiments"
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""Visible ASCII but the backslash, which browsers take for a slash."""
_LENGTH = 2_000
_NO_PLACES = ("/login", "/logout")
_FAILURES = {
    "invalid_token": "This token is unknown or was revoked. Ask an administrator for a new one.",
    "missing_token": "Paste a token.",
    "expired_token": "This token has expired. Ask an administrator for a new one.",
    "insufficient_scope": "This token is for programs: to log in it needs the scope viewer, editor or admin.",
    "too_many_wrong_tokens": "Too many wrong tokens came from your address: wait a minute, then try again.",
    "rate_limited": "Too many requests came with this token: wait a moment, then try again.",
    "sessions_unavailable": "Nobody can log in at the moment: sessions are kept in Valkey, which can’t be reached.",
    "unavailable": "Nobody can log in at the moment: PostgreSQL can’t be reached.",
}


@dataclass(frozen=True, slots=True)
class LogInPage:
    """after: where the log-in leads. ended: whether a session was there before. error: why the last try failed."""

    after: str
    ended: bool = False
    error: str = ""


def own_path(wanted: str | None) -> str:
    """A path of this site and nothing else: no other host, no scheme; the list of experiments where it is none."""
    if not wanted or len(wanted) > _LENGTH or not _OWN_PATH.fullmatch(wanted):
        return START
    return START if wanted.partition("?")[0] in _NO_PLACES else wanted


def failure_of(problem: Problem) -> str:
    """Why nobody was logged in, in a sentence."""
    return _FAILURES.get(problem.code, f"{problem.detail.rstrip('.')}.")
