"""The one hash of the product: 64 bits of SHA-256, salted by experiment and by purpose."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256

BUCKETS = 2**64
"""Number of buckets; a bucket is an integer from 0 to BUCKETS - 1."""


class Purpose(StrEnum):
    """What a hash decides. Hashes of different purposes are independent."""

    ROLLOUT = "rollout"
    VARIANT = "variant"
    LAYER = "layer"
    HOLDOUT = "holdout"
    FORCED = "forced"
    RELEASE = "release"


def bucket(salt: str, purpose: Purpose, unit_id: str) -> int:
    """The unit's bucket: the first 8 bytes, big-endian, of SHA-256 of `purpose:salt:unit_id` in UTF-8.

    Neither purpose nor salt contains a colon, so different inputs are different texts.
    """
    return int.from_bytes(sha256(f"{purpose}:{salt}:{unit_id}".encode()).digest()[:8], "big")
