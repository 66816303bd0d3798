"""Headers of every answer that say how a browser is to treat it."""

from __future__ import annotations

Headers = list[tuple[bytes, bytes]]

_NOSNIFF = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")

OF_HOT_ANSWERS: Headers = [_NOSNIFF, _NO_STORE]
"""JSON for programs: the rest would only be bytes on the wire."""

_OF_ALL: Headers = [
    _NOSNIFF,
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_DATA_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")


def missing(given: Headers, path: str, scheme: str) -> Headers:
    """What an answer with these headers lacks. An endpoint's own policy stands."""
    wanted = [*_OF_ALL, _DATA_POLICY]
    if path.startswith("/v1"):
        wanted.append(_NO_STORE)
    if scheme == "https":
        wanted.append(_TRANSPORT)
    names = {name.lower() for name, _ in given}
    return [header for header in wanted if header[0] not in names]


def on_the_wire(fields: Headers) -> bytes:
    """Each field behind the end of the line before it."""
    return b"".join([b"\r\n%b: %b" % field for field in fields])
