"""From a file to the plan of what will be sent."""

from __future__ import annotations

import gzip
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from neonblue.client import NewAssignment, NewEvent
from neonblue.simulation.plan import OUTCOME_DELAY, Plan, make_plan
from neonblue.tables.errors import FileError
from neonblue.tables.outcomes import Kind
from neonblue.tables.reading import Sheet
from neonblue.tables.rejected import write_rejected
from neonblue.tables.roles import Options
from tests.unit.simulation.conftest import ANSWERS, SHOP, START, Planner


def sent(plan: Plan) -> tuple[list[NewAssignment], list[NewEvent]]:
    assignments, events = [], []
    for reading in plan.readings():
        assignment = plan.assignment("shop", reading)
        assignments += [assignment] if assignment else []
        events += plan.events(7, reading)
    return assignments, events


def test_columns_are_found_by_name_and_content(plan: Planner) -> None:
    made = plan(SHOP)

    kinds = {metric.name: metric.column.kind for metric in made.metrics}
    assert kinds == {"visits": Kind.MEAN, "bought": Kind.PROPORTION, "spend": Kind.MEAN}
    assert (made.reading.sheet.roles.unit, made.reading.sheet.roles.variant) == (0, 1)


def test_each_unit_is_assigned_once_and_each_nonzero_outcome_is_an_event(plan: Planner) -> None:
    assignments, events = sent(plan(SHOP))

    assert [(a.user_id, a.variant_key, a.timestamp) for a in assignments] == [
        ("1", "old", START),
        ("2", "new", START),
        ("3", "new", START),
        ("4", "old", START),
    ]
    assert [(e.user_id, e.event_type, e.value) for e in events] == [
        ("1", "visits", Decimal(3)),
        ("2", "bought", None),
        ("2", "spend", Decimal("29.99")),
        ("3", "bought", None),
        ("3", "spend", Decimal(5)),
        ("4", "visits", Decimal(1)),
    ]
    assert {event.timestamp for event in events} == {START + OUTCOME_DELAY}
    assert {event.experiment_id for event in events} == {7}


def test_blank_cells_are_asked_about_before_anything_is_sent(plan: Planner) -> None:
    with pytest.raises(FileError) as caught:
        plan(ANSWERS, missing=("bought=zero",))

    assert str(caught.value) == (
        "rating: 2 of 5 cells are blank; say --missing rating=exclude (analyse those who answered) "
        "or --missing rating=zero (count a blank as 0)"
    )


def test_a_blank_cell_that_counts_as_zero_is_no_event(plan: Planner) -> None:
    made = plan(ANSWERS, missing=("zero",))

    assert [(e.user_id, e.event_type, e.value) for e in sent(made)[1]] == [
        ("1", "rating", Decimal(4)),
        ("1", "bought", None),
        ("4", "rating", Decimal(5)),
        ("4", "bought", None),
    ]
    assert [(m.type, m.missing) for m in made.experiment("k", {}).metrics] == [
        ("mean", "zero"),
        ("proportion", "zero"),
    ]
    assert list(made.notes()) == ["2 blank cells of rating count as 0", "1 blank cell of bought counts as 0"]


def test_where_blank_cells_are_left_out_every_value_is_an_event_also_zero(plan: Planner) -> None:
    made = plan(ANSWERS, missing=("exclude",))

    assert [(e.user_id, e.event_type, e.value) for e in sent(made)[1]] == [
        ("1", "rating", Decimal(4)),
        ("1", "bought", Decimal(1)),
        ("3", "rating", Decimal(0)),
        ("3", "bought", Decimal(0)),
        ("4", "rating", Decimal(5)),
        ("4", "bought", Decimal(1)),
        ("5", "bought", Decimal(0)),
    ]
    assert [(m.type, m.aggregation, m.missing) for m in made.experiment("k", {}).metrics] == [
        ("mean", "sum", "exclude")
    ] * 2
    assert list(made.notes()) == [
        "rating: 2 blank cells left out: a 0 of 2, b 2 of 3",
        "bought: 1 blank cell left out: a 0 of 2, b 1 of 3",
    ]


def test_a_policy_is_sent_only_where_blank_cells_are_left_out(plan: Planner) -> None:
    draft = plan(ANSWERS, missing=("rating=exclude", "zero")).experiment("k", {})

    body = msgspec.json.decode(msgspec.json.encode(draft))
    assert [metric.get("missing") for metric in body["metrics"]] == ["exclude", None]


def test_a_share_of_units_with_several_rows_has_no_rows_to_leave_out(plan: Planner) -> None:
    with pytest.raises(FileError, match="bought is a share of units, and units have several rows"):
        plan(ANSWERS + "1,a,3,no\n", missing=("exclude",))


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (("none",), "--missing: 'none' is not zero, exclude, NAME=zero or NAME=exclude"),
        (("=zero",), "--missing: '=zero' is not"),
        (("stars=zero",), "--missing: there is no metric 'stars'; there are rating, bought"),
        (("zero", "exclude"), "--missing: every metric is both zero and exclude"),
        (("rating=zero", "rating=exclude"), "--missing: rating is both zero and exclude"),
    ],
)
def test_a_policy_that_can_not_be_read_says_so(plan: Planner, missing: tuple[str, ...], message: str) -> None:
    with pytest.raises(FileError) as caught:
        plan(ANSWERS, missing=missing)

    assert message in str(caught.value)


def test_a_file_with_one_spend_among_many_zeros_is_a_mean(plan: Planner) -> None:
    rows = "".join(f"{number},{'ab'[number % 2]},0\n" for number in range(5_000))

    made = plan("user_id,variant,spend\n" + rows + "5000,a,29.99\n")

    assert [metric.column.kind for metric in made.metrics] == [Kind.MEAN]


def test_ids_depend_on_content_row_and_metric_alone(tmp_path: Path, plan: Planner) -> None:
    first = [event.id for event in sent(plan(SHOP))[1]]
    packed = tmp_path / "other-name.csv.gz"
    packed.write_bytes(gzip.compress(SHOP.encode()))
    again = sent(make_plan(Sheet.open(packed, Options(start=START, control="old"))))[1]

    assert [event.id for event in again] == first
    assert len(set(first)) == len(first)
    assert not set(first) & {event.id for event in sent(plan(SHOP + "5,old,1,False,0\n"))[1]}


def test_without_a_unit_column_the_row_number_is_the_unit(plan: Planner) -> None:
    assignments, _ = sent(plan("segment,visit\nNo E-Mail,0\nMens E-Mail,1\n", variant="segment"))

    assert [(a.user_id, a.variant_key) for a in assignments] == [("1", "no_e-mail"), ("2", "mens_e-mail")]


BAD_ROWS = "5,new,1\n,new,1,True,1\n6,,1,True,1\n7,new,many,True,1\n1,new,1,True,1\n8,new,1,True,9\n"


def test_bad_rows_refuse_the_file_with_every_reason(plan: Planner) -> None:
    with pytest.raises(FileError) as caught:
        plan(SHOP + BAD_ROWS)

    assert "4 of 10 rows can't be read, the first is line 6 (row 5)" in str(caught.value)
    assert "line 9: row 8: visits: 'many' is not a number" in str(caught.value)
    assert "--skip-bad-rows" in str(caught.value)


def test_bad_rows_are_named_and_the_good_ones_kept_where_that_was_asked(
    plan: Planner, tmp_path: Path
) -> None:
    made = plan(SHOP + BAD_ROWS, skip_bad_rows=True)

    assert sorted(made.rejections) == [1, 5, 6, 7, 8, 9]
    reasons = [made.rejections[row] for row in sorted(made.rejections)]
    assert "unit '1' is in more than one arm" in reasons[0]
    assert "3 cells where the header names 5" in reasons[1]
    assert "userid: no unit (the cell is blank)" in reasons[2]
    assert "version: no arm (the cell is blank)" in reasons[3]
    assert "visits: 'many' is not a number" in reasons[4]
    assert "unit '1' is in more than one arm" in reasons[5]
    assert [a.user_id for a in sent(made)[0]] == ["2", "3", "4", "8"]

    path = write_rejected(made.reading.sheet, made.rejections)
    assert path == tmp_path / "shop.rejected.csv"
    lines = path.read_text().splitlines()
    assert lines[0] == "userid,version,visits,bought,spend,rejected_because"
    assert len(lines) == 7
    assert lines[2].startswith("5,new,1,,,3 cells")


def test_a_unit_of_several_rows_enters_at_its_earliest_time(plan: Planner) -> None:
    made = plan(
        "user_id,variant,time,spend\n"
        "1,a,2025-07-03,5\n1,a,2025-07-01,7\n2,b,2025-07-02,0\n3,b,2025-07-02T10:00:00+02:00,1\n",
        start=None,
    )
    assignments, events = sent(made)

    assert [(a.user_id, a.timestamp) for a in assignments] == [
        ("1", START),
        ("2", START + timedelta(days=1)),
        ("3", START + timedelta(days=1, hours=8)),
    ]
    assert [event.timestamp - OUTCOME_DELAY for event in events[:2]] == [START + timedelta(days=2), START]


@pytest.mark.parametrize(
    ("given", "arms", "expected"),
    [
        ("old", "old,new", "old"),
        (None, "Control,B", "control"),
        (None, "0,1", "0"),
        ("No E-Mail", "No E-Mail,M", "no_e-mail"),
    ],
)
def test_the_control_is_given_or_obvious(plan: Planner, given: str | None, arms: str, expected: str) -> None:
    rows = "".join(f"{number},{arm},1\n" for number, arm in enumerate(arms.split(",")))

    draft = plan("user_id,variant,x\n" + rows, control=given).experiment("key", {})

    assert [variant.key for variant in draft.variants if variant.is_control] == [expected]
    assert draft.source == "external"


def test_a_metric_of_which_less_is_better_is_created_so(plan: Planner) -> None:
    text = "user_id,variant,churned,Load Time\n1,a,1,2.5\n2,b,0,1.5\n"

    made = plan(text, lower=("churned", "Load Time"), control="a")

    assert {metric.key: metric.direction for metric in made.experiment("k", {}).metrics} == {
        "churned": "decrease",
        "load_time": "decrease",
    }


@pytest.mark.parametrize(
    ("lower", "message"),
    [
        (("churn",), "--lower: there is no metric 'churn'; there are visits, bought, spend"),
        (("visits", "visits"), "--lower: 'visits' is given twice"),
    ],
)
def test_lower_names_a_metric_once(plan: Planner, lower: tuple[str, ...], message: str) -> None:
    with pytest.raises(FileError) as caught:
        plan(SHOP, lower=lower)

    assert str(caught.value) == message


def test_weights_are_the_planned_split(plan: Planner) -> None:
    draft = plan(SHOP, control="old").experiment("key", {"new": 3})

    assert {variant.key: variant.weight for variant in draft.variants} == {"old": 1, "new": 3}


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (SHOP, {"unit": "user"}, "--unit: there is no column 'user'; the columns are userid, version"),
        (SHOP, {"metrics": ("x=profit",)}, "--metric: there is no column 'profit'"),
        (
            SHOP,
            {"metrics": ("arm=version",)},
            "--metric: column 'version' is the unit, the arm, the time or ignored",
        ),
        (SHOP, {"metrics": ("a=spend", "a=visits")}, "--metric: the names must differ, got a, a"),
        (SHOP, {"metrics": ("exposure=spend",)}, "'exposure' is taken"),
        (SHOP, {"start": None}, "--start:"),
        ("id,x\n1,2\n", {}, "--variant: name the column of the arms; the columns are id, x"),
        (
            "user_id,variant,note,x\n1,a,hi,1\n2,b,ho,2\n",
            {"metrics": ("note",)},
            "--metric: column 'note' holds no numbers or truth values ('hi')",
        ),
        ("user_id,variant,x\n1,a,2\n", {}, "--variant: column 'variant' has 1 arm (a), not two"),
        ("", {}, "the file is empty"),
        ("a,a\n1,2\n", {}, "the header names a more than once"),
        ("user_id,variant,x\n1,A b,1\n2,a_b,2\n", {}, "differ only in capitals, spaces or signs"),
    ],
)
def test_what_cannot_be_mapped_names_the_option_and_the_column(
    plan: Planner, text: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(FileError) as caught:
        plan(text, **options)

    assert message in str(caught.value)


def test_an_unclear_control_lists_the_arms(plan: Planner) -> None:
    with pytest.raises(FileError, match="--control: say which arm is the control; the arms are new, old"):
        plan(SHOP).experiment("key", {})


def test_a_broken_archive_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(SHOP.encode())[:-9])

    with pytest.raises(FileError, match="can't be read"):
        Sheet.open(path, Options())
