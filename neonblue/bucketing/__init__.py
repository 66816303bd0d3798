"""Which units an experiment takes in, and which variant each gets: pure functions."""

from neonblue.bucketing.allocation import FULL_ALLOCATION, VariantRange, allocation_bound, variant_ranges
from neonblue.bucketing.configuration import Configuration, Holdout, LayerSlot
from neonblue.bucketing.evaluation import (
    Evaluation,
    Reason,
    ServedBy,
    Unit,
    assign,
    evaluate,
    forced_variant,
    variant_of,
)
from neonblue.bucketing.hashing import BUCKETS, Purpose, bucket
from neonblue.bucketing.release import Population, Release
from neonblue.bucketing.serving import Serving, beside, serve, serving_of
from neonblue.bucketing.targeting import EXPRESSION_LENGTH, Targeting, TargetingError, compile_expression
from neonblue.bucketing.targeting_rules import check_expression

__all__ = [
    "BUCKETS",
    "EXPRESSION_LENGTH",
    "FULL_ALLOCATION",
    "Configuration",
    "Evaluation",
    "Holdout",
    "LayerSlot",
    "Population",
    "Purpose",
    "Reason",
    "Release",
    "ServedBy",
    "Serving",
    "Targeting",
    "TargetingError",
    "Unit",
    "VariantRange",
    "allocation_bound",
    "assign",
    "beside",
    "bucket",
    "check_expression",
    "compile_expression",
    "evaluate",
    "forced_variant",
    "serve",
    "serving_of",
    "variant_of",
    "variant_ranges",
]
