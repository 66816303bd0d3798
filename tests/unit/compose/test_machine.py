"""What a machine lacks is told with what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from neonblue.compose.machine import Machine, examine
from tests.unit.compose.deployments import GIBIBYTE, LARGE


def lacking(machine: Machine) -> list[str]:
    return [finding.subject for finding in examine(machine) if not finding.good]


@pytest.mark.parametrize(
    ("machine", "subjects"),
    [
        (LARGE, []),
        (replace(LARGE, memory=4 * GIBIBYTE), ["memory"]),
        (replace(LARGE, memory=8 * GIBIBYTE - 400 * 1024**2), []),  # sold as 8 GiB
        (replace(LARGE, cores=1), ["cores"]),
        (replace(LARGE, disk=5 * GIBIBYTE), ["disk"]),
        (replace(LARGE, flags=frozenset({"sse4_1"})), ["processor"]),
        (replace(LARGE, architecture="aarch64", flags=frozenset({"atomics"})), []),
        (replace(LARGE, architecture="aarch64", flags=frozenset({"fp"})), ["processor"]),
        (replace(LARGE, architecture="riscv64"), ["processor"]),
    ],
)
def test_what_is_too_small_is_named(machine: Machine, subjects: list[str]) -> None:
    assert lacking(machine) == subjects
    assert all(finding.advice for finding in examine(machine) if not finding.good)


def test_this_machine_can_be_looked_at(tmp_path: Path) -> None:
    found = Machine.here(tmp_path / "not" / "there" / "yet")
    assert found.memory > GIBIBYTE
    assert found.cores >= 1
    assert found.flags
    assert found.clickhouse_memory >= 2 * GIBIBYTE
