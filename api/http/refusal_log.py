"""A line in the log for each refused or failed request, so many a second: a flood must not fill the disk.

Nothing of a person is written: the route's template in place of the path, the token's number in place of its secret,
the names of fields in place of their values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import msgspec
import structlog

from api.http.problems import Problem
from api.metrics import REFUSALS as COUNTED

_EACH = 5
"""Lines a second of one status and code."""
_ALL = 50
"""Lines a second of all together."""
_FIELDS = 5
_FIELD_LENGTH = 60
_METHOD_LENGTH = 16
_UNNAMED = ("properties", "attributes")
"""What a caller calls the parts of these is its own."""

_log = structlog.get_logger("api.http")


class _Item(msgspec.Struct):
    code: str | None = None
    field: str | None = None


class _Items(msgspec.Struct):
    items: list[_Item] = msgspec.field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that got no 2xx or 3xx. `seconds` is how long its answer took; `token` the number of the caller's;

    `address` the client's, for the audit log.
    """

    method: str
    route: str
    status: int
    request_id: str
    seconds: float
    token: int | None = None
    problem: Problem | None = None
    body: bytes = b""
    """Of an answer that is no problem: a batch of which every item was refused."""
    address: str | None = None

    @property
    def bearer(self) -> int | None:
        """The number of the caller's token, also where it was refused as no longer valid."""
        return self.problem.token if self.token is None and self.problem is not None else self.token

    @property
    def code(self) -> str:
        return self.problem.code if self.problem is not None else "all_rejected" if self.body else "none"

    def rules(self) -> tuple[list[str], list[str]]:
        """The codes of the broken rules, and the fields that broke them, each once."""
        if self.problem is not None:
            errors: Sequence[Any] = self.problem.members.get("errors") or ()
            named = [_Item(str(error.get("code")), error.get("field")) for error in errors]
            found = named or [_Item(self.problem.code, self.problem.field)]
        else:
            found = _items(self.body)
        return _few(item.code for item in found), _few(_plain(item.field) for item in found)


def _items(body: bytes) -> list[_Item]:
    try:
        return msgspec.json.decode(body, type=_Items).items
    except msgspec.DecodeError:
        return []


def _plain(name: str | None) -> str | None:
    """A field's name, without what a caller calls its own parts, within bounds."""
    if name is None:
        return None
    parts = name.split(".")
    own = next((place for place, part in enumerate(parts) if part in _UNNAMED), len(parts))
    kept = ".".join(parts[: own + 1]) + (".…" if own + 1 < len(parts) else "")
    return kept if len(kept) <= _FIELD_LENGTH else f"{kept[:_FIELD_LENGTH]}…"


def _few(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))[:_FIELDS]


@dataclass(slots=True)
class RefusalLog:
    """Writes the first refusals of each second, and says afterwards how many were left out.

    `told` hears of every one.
    """

    clock: Callable[[], float] = monotonic
    told: Callable[[Refusal], None] | None = None
    _began: float = 0.0
    _written: dict[tuple[int, str], int] = field(default_factory=dict)
    _left_out: dict[tuple[int, str], int] = field(default_factory=dict)

    def note(self, refusal: Refusal) -> None:
        """Write the refusal, or count it."""
        if self.told is not None:
            self.told(refusal)
        COUNTED.add(refusal.code)
        if self.clock() - self._began >= 1.0:
            self.close_second()
        kind = (refusal.status, refusal.code)
        written = self._written.get(kind, 0)
        if written >= _EACH or sum(self._written.values()) >= _ALL:
            if not self._left_out:
                self._tell_later()
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return
        self._written[kind] = written + 1
        _write(refusal)

    def close_second(self) -> None:
        """Say what was left out, and begin anew."""
        for (status, code), count in self._left_out.items():
            _log.warning("refusals_left_out", status=status, code=code, count=count)
        self._began, self._written, self._left_out = self.clock(), {}, {}

    def _tell_later(self) -> None:
        """Also where no other request follows. The line is of no request."""
        try:
            asyncio.get_running_loop().call_later(1.0, self._tell, context=Context())
        except RuntimeError:  # no loop: whoever comes next tells
            return

    def _tell(self) -> None:
        if self._left_out:
            self.close_second()


def _write(refusal: Refusal) -> None:
    codes, fields = refusal.rules()
    write = _log.error if refusal.status >= 500 else _log.info
    further = {"codes": codes} if codes not in ([], [refusal.code]) else {}
    write(
        "request_failed" if refusal.status >= 500 else "request_refused",
        method=refusal.method[:_METHOD_LENGTH],
        route=refusal.route,
        status=refusal.status,
        code=refusal.code,
        **further,
        fields=fields,
        token=refusal.bearer,
        request_id=refusal.request_id,
        milliseconds=round(1000 * refusal.seconds, 1),
    )


REFUSALS = RefusalLog()
"""Of this process."""


def unmatched(path: str) -> str:
    """What is written of a path that no route has: its first segment; the others may name a person."""
    first = path.split("/")[1:2]
    known = first and first[0] in ("v1", "ofrep", "docs", "openapi.json", "healthz", "readyz", "metrics")
    return f"/{first[0]}/… (no such path)" if known else "no such path"
