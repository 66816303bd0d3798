"""Event ids made by the client, so that a repeated request is the same event."""

from __future__ import annotations

import os
import time
from uuid import UUID


def uuid7(milliseconds: int | None = None, randomness: bytes | None = None) -> UUID:
    """A UUID of version 7 (RFC 9562, 5.7): 48 bits of Unix time in milliseconds, then 74 random bits.

    `randomness`: ten bytes, for reproducible ids; from the operating system where absent.
    """
    clock = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    entropy = int.from_bytes(os.urandom(10) if randomness is None else randomness, "big")
    random_a, random_b = (entropy >> 62) & 0xFFF, entropy & ((1 << 62) - 1)
    return UUID(int=(clock & ((1 << 48) - 1)) << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b)
