"""Exceptions as ClickHouse reports them: a code, a name and a text."""

from __future__ import annotations

import re

SYNTAX_ERROR = 62
UNKNOWN_FUNCTION = 46
UNKNOWN_FORMAT = 73
READONLY = 164
QUERY_WITH_SAME_ID = 216
TOO_MANY_SIMULTANEOUS_QUERIES = 202
SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
CANNOT_DECOMPRESS = 374
INVALID_SESSION_TIMEOUT = 374
BAD_ARGUMENTS = 36
NOT_IMPLEMENTED = 48
QUERY_IS_TOO_LARGE = 307
AUTHENTICATION_FAILED = 516
ABORTED = 236
TIMEOUT_EXCEEDED = 159
SETTING_CONSTRAINT_VIOLATION = 452

# The statuses that ClickHouse's HTTP handler gives to codes; every other code is a 500.
_BAD_REQUEST = frozenset(
    {6, 26, 27, 36, 38, 41, 42, 43, 44, 46, 47, 50, 51, 53, 57, 62, 63, 69, 70, 72, 82, 115, 117, 125, 161}
    | {
        UNKNOWN_FORMAT,
        179,
        184,
        190,
        215,
        223,
        224,
        374,
        376,
        386,
        SETTING_CONSTRAINT_VIOLATION,
        456,
        457,
        467,
    }
)
_FORBIDDEN = frozenset({164, 193, 194, 195, 291, 497, AUTHENTICATION_FAILED})
_NOT_FOUND = frozenset({60, 81, 372, 1000})
_STATUS = (
    dict.fromkeys(_BAD_REQUEST, 400)
    | dict.fromkeys(_FORBIDDEN, 403)
    | dict.fromkeys(_NOT_FOUND, 404)
    | {NOT_IMPLEMENTED: 501, QUERY_IS_TOO_LARGE: 413, TOO_MANY_SIMULTANEOUS_QUERIES: 503, 159: 408, 160: 408}
)
_CODE = re.compile(r"Code: (\d+)\. DB::")


class ClickHouseError(Exception):
    """What a client sees as ``Code: 60. DB::Exception: … (UNKNOWN_TABLE)``."""

    def __init__(self, code: int, name: str, message: str, status: int | None = None) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {message} ({name})")
        self.code = code
        self._status = status

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return self._status or _STATUS.get(self.code, 500)

    def without(self, begin: str, end: str) -> ClickHouseError:
        """The same error, its text without what stands from the first `begin` to the last `end`."""
        made = ClickHouseError(self.code, "", "", self._status)
        kept, found, rest = str(self).partition(begin)
        _, closed, tail = rest.rpartition(end)
        made.args = (kept.rstrip(": ") + tail if found and closed else str(self),)
        return made

    @classmethod
    def of_engine(cls, error: BaseException, version: str) -> ClickHouseError:
        """The engine's own exception; its text ends with the version, as a server's does."""
        text = str(error).strip()
        found = _CODE.search(text)
        made = cls(int(found.group(1)) if found else 1001, "STD_EXCEPTION", text)
        if found:
            text = text[found.start() :]
            made.args = (text if "(version " in text else f"{text} (version {version} (embedded))",)
        return made
