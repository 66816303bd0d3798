"""Files that are planned as an import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from neonblue.simulation.plan import Plan, make_plan
from neonblue.tables.reading import Sheet
from neonblue.tables.roles import Options

START = datetime(2025, 7, 1, tzinfo=UTC)
SHOP = """userid,version,visits,bought,spend
1,old,3,False,0
2,new,0,True,29.99
3,new,0,True,5
4,old,1,False,0.0
"""

ANSWERS = "user_id,variant,rating,bought\n1,a,4,yes\n2,b,NA,\n3,a,0,no\n4,b,5,yes\n5,b,-,no\n"

Planner = Callable[..., Plan]


@pytest.fixture
def plan(tmp_path: Path) -> Planner:
    def make(text: str, *, missing: Sequence[str] = (), lower: Sequence[str] = (), **options: object) -> Plan:
        path = tmp_path / "shop.csv"
        path.write_text(text)
        sheet = Sheet.open(path, Options(**{"start": START, "asked": tuple(lower), **options}))  # type: ignore[arg-type]
        return make_plan(sheet, missing, lower)

    return make
