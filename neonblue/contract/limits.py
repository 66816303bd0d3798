"""How large things may be. Sizes are in bytes, lengths in characters."""

from __future__ import annotations

SCHEMA_VERSION = 1

REQUEST_ITEMS = 1_000
REQUEST_BYTES = 1024 * 1024
REQUEST_EVALUATIONS = 10_000
"""Pairs of a unit and an experiment that one request may ask for."""

EVENT_BYTES = 64 * 1024
OUTBOX_ROW_BYTES = 256 * 1024

KEY_LENGTH = 256
APP_VERSION_LENGTH = 64
NESTING_DEPTH = 16
"""Levels of objects and arrays inside `properties` and `attributes`, themselves the first."""

INTEGER_MINIMUM = -(2**63)
INTEGER_MAXIMUM = 2**63 - 1
EXPERIMENT_ID_MAXIMUM = 2**31 - 1

VALUE_INTEGER_DIGITS = 12
VALUE_DECIMAL_PLACES = 6
