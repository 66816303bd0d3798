"""Where a statement's FORMAT clause begins, which the result's file is named before."""

from __future__ import annotations

import pytest

from neonblue.clickhouse_server.statement import read

FILE = b" INTO OUTFILE '/x' APPEND "


@pytest.mark.parametrize(
    "text",
    [
        "SELECT table, count() FROM system.parts GROUP BY table|FORMAT Native",
        "SELECT table|FORMAT Native SETTINGS final = 1",
        "WITH 1 AS x SELECT table FROM system.parts ORDER BY table|FORMAT JSON",
        "SELECT 1 AS format|FORMAT JSON",
        "SHOW CREATE TABLE format|",
        "WITH 1 AS x INSERT INTO TABLE format SELECT x|",
        "SELECT format FROM t|",
    ],
)
def test_the_file_is_named_before_the_format_and_after_every_name(text: str) -> None:
    before, after = text.encode().split(b"|")

    assert read(before + b" " + after, 1_000).into_file("/x").split() == (before + FILE + after).split()
