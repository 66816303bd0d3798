"""Which columns are metrics where none was named, and which decide."""

from __future__ import annotations

import pytest

from neonblue.tables.errors import FileError
from neonblue.tables.reading import Sheet
from neonblue.tables.roles import Options
from tests.unit.tables.conftest import Write


def table(columns: dict[str, list[object]], rows: int = 40) -> str:
    """Columns repeated to so many rows, with a unit and an arm."""
    lines = [",".join(["user_id", "variant", *columns])]
    for i in range(rows):
        cells = [str(values[i % len(values)]) for values in columns.values()]
        lines.append(",".join([f"u{i}", "ab"[i % 2], *cells]))
    return "\n".join(lines) + "\n"


def decisions(write: Write, text: str, **options: object) -> dict[str, bool]:
    sheet = Sheet.open(write(text), Options(**options))  # type: ignore[arg-type]
    return {outcome.name: outcome.decides for outcome in sheet.outcomes()}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"score": [1, 2]}, {"score": True}),
        ({"converted": [0, 1], "postcode": [10_001, 90_002]}, {"converted": True}),
        ({"converted": [0, 1], "minutes": [3, 5]}, {"converted": True, "minutes": False}),
        ({"total ads": [3, 5], "converted": ["True", "False"]}, {"total ads": False, "converted": True}),
        ({"revenue": [3, 5], "converted": [0, 1]}, {"revenue": True, "converted": True}),
        ({"won": [0, 1], "minutes": [3, 5]}, {"won": True, "minutes": False}),
        ({"minutes": [3, 5], "pages": [1, 2]}, {"minutes": False, "pages": False}),
        ({"won": [0, 1], "serial": list(range(100, 140))}, {"won": True}),
        ({"won": [0, 1], "house": ["0012", "0340"]}, {"won": True}),
        ({"won": [0, 1], "age": [20, 30], "order id": [7, 8], "birth year": [1990, 1991]}, {"won": True}),
        ({"won": [0, 1], "city": ["Bonn", "Köln"]}, {"won": True}),
        ({"won": [0, 1], "order_date": [20250701, 20250714], "age at signup": [20, 30]}, {"won": True}),
        ({"won": [0, 1], "order_timestamp": [1751373401, 1751389525], "signupMonth": [6, 7]}, {"won": True}),
        ({"converted": [0, 1], "previous_revenue": [3, 5], "baseline_orders": [1, 2]}, {"converted": True}),
        ({"converted": [0, 1], "last_purchases": [3, 5], "pre_visits": [1, 2]}, {"converted": True}),
        ({"converted": [0, 1], "churned": [0, 1], "unsubscribed": [0, 1]}, {"converted": True}),
        ({"converted": [0, 1], "refunds": [0, 2], "time_to_purchase": [5, 9]}, {"converted": True}),
        (
            {"revenue_month_1": [3, 5], "orders_per_day": [1, 2]},
            {"revenue_month_1": True, "orders_per_day": True},
        ),
        ({"won": [0, 1], "": [1, 2], "Unnamed: 0": [1, 2]}, {"won": True}),
    ],
)
def test_what_is_an_outcome_decides_and_what_describes_the_unit_is_passed_over(
    write: Write, columns: dict[str, list[object]], expected: dict[str, bool]
) -> None:
    assert decisions(write, table(columns)) == expected


def test_a_column_of_times_is_no_metric_whether_or_not_it_is_read(write: Write) -> None:
    sheet = Sheet.open(write(table({"won": [0, 1], "timestamp": [1751371200, 1751371201]})), Options())

    assert [outcome.name for outcome in sheet.outcomes()] == ["won"]


def test_a_column_can_be_passed_over_as_asked(write: Write) -> None:
    assert decisions(write, table({"won": [0, 1], "minutes": [3, "x"]}), ignore=("Minutes",)) == {"won": True}


def test_a_file_without_any_outcome_asks_for_one(write: Write) -> None:
    sheet = Sheet.open(write(table({"city": ["Bonn", "Köln"]})), Options())

    with pytest.raises(
        FileError, match=r"--metric: no column holds numbers or truth values .*city: no numbers"
    ):
        sheet.outcomes()


@pytest.mark.parametrize(
    "name",
    [
        "churned",
        "Bounced",
        "unsubscribed",
        "refund",
        "refunds_usd",
        "cancelled",
        "complaints",
        "errors",
        "latency_ms",
        "time_to_convert",
        "days_since_visit",
        "not_converted",
        "pageLoadTime",
        "return_rate",
        "opted_out",
    ],
)
def test_what_is_better_when_lower_by_its_name_is_asked_about(write: Write, name: str) -> None:
    text = table({name: [0, 1], "minutes": [3, 5]})
    with pytest.raises(
        FileError, match=rf"--metric: of {name} less may be better by the name: say --lower {name}"
    ):
        Sheet.open(write(text), Options()).outcomes()

    assert decisions(write, text, asked=(name,))[name]


def test_an_outcome_that_is_mostly_words_is_not_passed_over(write: Write) -> None:
    found = decisions(write, table({"won": [0, 1], "revenue": ["pending", "pending", 5]}))

    assert found == {"won": False, "revenue": True}


@pytest.mark.parametrize("columns", ["segment,treatment", "version,cell", "group,variant_name,condition"])
def test_the_arms_are_asked_for_where_two_columns_may_hold_them(write: Write, columns: str) -> None:
    path = write(f"user_id,{columns},won\n" + f"1{',a' * len(columns.split(','))},1\n")

    with pytest.raises(FileError, match=r"--variant: say which column holds the arms: .* and .* may be it"):
        Sheet.open(path, Options())


@pytest.mark.parametrize("columns", ["segment,variant", "variant,cell", "group,plan"])
def test_a_column_that_is_called_the_variant_holds_the_arms(write: Write, columns: str) -> None:
    sheet = Sheet.open(write(f"user_id,{columns},won\n1,a,a,1\n"), Options())

    assert sheet.table.columns[sheet.roles.variant] in ("variant", "group")
