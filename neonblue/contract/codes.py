"""Stable codes of everything that can be wrong with what a client sent."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Why one item, or a whole request, was refused. The values never change their meaning."""

    # The form of the JSON
    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    EMPTY = "empty"
    TOO_MANY_ITEMS = "too_many_items"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    DUPLICATE_KEY = "duplicate_key"
    NUL_CHARACTER = "nul_character"
    CONTROL_CHARACTER = "control_character"
    LONE_SURROGATE = "lone_surrogate"

    # A field
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    WRONG_TYPE = "wrong_type"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    VALUE_OUT_OF_RANGE = "value_out_of_range"
    INVALID_UUID = "invalid_uuid"
    INVALID_TIMESTAMP = "invalid_timestamp"
    INVALID_DECIMAL = "invalid_decimal"
    INVALID = "invalid"

    # An event
    TIMESTAMP_REQUIRED = "timestamp_required"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    ID_REUSED = "id_reused"
    UNKNOWN_EXPERIMENT = "unknown_experiment"
    UNKNOWN_VARIANT = "unknown_variant"
    EXPERIMENT_MISMATCH = "experiment_mismatch"
    EXPOSURE_ONLY = "exposure_only"
    REFUSED_BY_STORE = "refused_by_store"

    # An assignment
    NOT_RUNNING = "not_running"
    UNIT_TYPE_MISMATCH = "unit_type_mismatch"
    VARIANT_REQUIRED = "variant_required"
    EXTERNAL_ONLY = "external_only"
    EXPERIMENT_REQUIRED = "experiment_required"
    ASSIGNMENT_CONFLICT = "assignment_conflict"

    # An experiment, a metric, a layer
    DUPLICATE = "duplicate"
    CONTROL_COUNT = "control_count"
    CONTROL_DROPPED = "control_dropped"
    LAST_TREATMENT = "last_treatment"
    DATES_ORDER = "dates_order"
    INTERNAL_ONLY = "internal_only"
    INVALID_EXPRESSION = "invalid_expression"
    PAYLOAD_TYPES = "payload_types"
    UNKNOWN_LAYER = "unknown_layer"
    UNKNOWN_HOLDOUT = "unknown_holdout"
    UNKNOWN_METRIC = "unknown_metric"
    FROZEN = "frozen"
    MAY_ONLY_GROW = "may_only_grow"
    DECISION_EARLY = "decision_early"
    NOT_COMPUTABLE = "not_computable"

    # Of an experiment that is stored all the same
    PAYLOAD_FIELDS = "payload_fields"
    SMALL_ALLOCATION = "small_allocation"
    AGAINST_THE_DATA = "against_the_data"
