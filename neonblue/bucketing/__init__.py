"""Which units an experiment takes in, and which variant each gets: pure functions."""

from neonblue.bucketing.allocation import (
    FULL_ALLOCATION,
    Configuration,
    VariantRange,
    allocation_bound,
    assign,
    variant_ranges,
)
from neonblue.bucketing.hashing import BUCKETS, Purpose, bucket

__all__ = [
    "BUCKETS",
    "FULL_ALLOCATION",
    "Configuration",
    "Purpose",
    "VariantRange",
    "allocation_bound",
    "assign",
    "bucket",
    "variant_ranges",
]
