"""A password as Prometheus' programs keep it: hashed by bcrypt, which the C library's ``crypt`` has."""

from __future__ import annotations

import ctypes
import secrets
import string
from functools import cache

from neonblue.stack.errors import RequirementError

_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")
_LETTERS = "./" + string.ascii_uppercase + string.ascii_lowercase + string.digits
_LAST_LETTERS = ".Oeu"
"""16 bytes are 21 letters of 6 bits and two bits more."""
_LEAST_COST = 4
"""Generated passwords need no slow hash, and each request pays for it."""


@cache
def _library() -> ctypes.PyDLL:
    """With Python's lock held: ``crypt`` answers in memory that all threads share."""
    for name in _LIBRARIES:
        try:
            library = ctypes.PyDLL(name)
        except OSError:
            continue
        library.crypt.restype = ctypes.c_char_p
        library.crypt.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
        return library
    raise RequirementError("libcrypt is not installed: apt-get install libcrypt1")


def new_salt() -> str:
    """Its 16 bytes, as bcrypt writes them."""
    return "".join(secrets.choice(_LETTERS) for _ in range(21)) + secrets.choice(_LAST_LETTERS)


def hashed(password: str, salt: str = "") -> str:
    """A hash with `salt`, or where none is given with one of its own.

    Raises ``RequirementError`` where the C library has no bcrypt.
    """
    salt = salt or new_salt()
    made: bytes | None = _library().crypt(password.encode(), f"$2b${_LEAST_COST:02}${salt}".encode())
    if made is None or not made.startswith(b"$2b$"):
        raise RequirementError("the C library's crypt has no bcrypt")
    return made.decode()
