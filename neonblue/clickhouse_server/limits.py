"""How much one query of the read-only user may take: a request may ask for less, never for more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from neonblue.clickhouse_server.errors import (
    BAD_ARGUMENTS,
    SETTING_CONSTRAINT_VIOLATION,
    ClickHouseError,
)

_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
# The engine cuts what is below a microsecond off, and no time at all is no limit.
_SECONDS = re.compile(r"[0-9]{1,19}(?:\.[0-9]{1,6})?", re.ASCII)
_IN_SECONDS = "max_execution_time"
_TIME_ZONE = re.compile(r"(?:[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*)?", re.ASCII)
_GIGABYTE = 1024**3


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """The ceilings of one query. Seconds, bytes, rows; `threads` a query may use at once."""

    execution_time: int
    memory: int
    result: int = 64 * _GIGABYTE
    temporary_data: int = _GIGABYTE
    threads: int = 16
    block: int = 1_048_576

    def settings(self) -> dict[str, str]:
        """What a query runs with where its request says nothing."""
        ceilings = self.ceilings()
        starting = ("max_execution_time", "max_memory_usage", "max_result_bytes")
        return {
            **{name: str(ceilings[name]) for name in starting},
            "max_temporary_data_on_disk_size_for_query": str(self.temporary_data),
            "min_free_disk_space_for_temporary_data": str(2 * _GIGABYTE),
            "max_bytes_before_external_group_by": str(self.memory // 2),
            "max_bytes_before_external_sort": str(self.memory // 2),
            # Where the server's memory ends, a reader's query ends before the platform's.
            "memory_overcommit_ratio_denominator": str(1024**2),
        }

    def check(self, settings: Mapping[str, str]) -> None:
        """Raises ClickHouseError on a setting above its ceiling, and on a value that could be read otherwise."""
        ceilings = self.ceilings()
        for name, value in settings.items():
            if name in ceilings:
                _check_number(name, value, ceilings[name])
            elif name == "readonly" and value != "1":
                raise ClickHouseError(164, "READONLY", "Cannot modify 'readonly' setting in readonly mode")

    def ceilings(self) -> dict[str, int]:
        """The most that a request may ask for, by setting."""
        return {
            "max_execution_time": self.execution_time,
            "max_memory_usage": self.memory,
            "max_result_bytes": self.result,
            "max_temporary_data_on_disk_size_for_query": self.temporary_data,
            "max_threads": self.threads,
            "max_block_size": self.block,
        }


def is_time_zone(name: str) -> bool:
    """Whether `name` may be a time zone's: the engine opens a file by it."""
    return _TIME_ZONE.fullmatch(name) is not None


def _check_number(name: str, value: str, ceiling: int) -> None:
    form = _SECONDS if name == _IN_SECONDS else _NUMBER
    if form.fullmatch(value) is None:
        raise ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"Setting {name}: '{value}' is no such number")
    if not 0 < float(value) <= ceiling:
        message = f"Setting {name} must be above 0 and at most {ceiling} for the read-only user, not {value}"
        raise ClickHouseError(SETTING_CONSTRAINT_VIOLATION, "SETTING_CONSTRAINT_VIOLATION", message)
