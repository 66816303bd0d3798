"""Whether a file's rows belong into an experiment that is there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from neonblue.client import Experiment
from neonblue.simulation.existing import require_same
from neonblue.simulation.plan import Plan
from neonblue.tables.errors import FileError
from tests.unit.simulation.conftest import ANSWERS, SHOP, Planner


def stored(plan: Plan) -> Experiment:
    """The experiment that the import made."""
    draft = plan.experiment("k", {})
    return Experiment(
        key="k",
        status="running",
        name=draft.name,
        source="external",
        variants=draft.variants,
        metrics=draft.metrics,
    )


def test_a_file_is_not_mixed_into_an_experiment_with_another_policy(plan: Planner) -> None:
    zero, exclude = (plan(ANSWERS, missing=(policy,)) for policy in ("zero", "exclude"))
    there = stored(zero)

    require_same(there, zero, append=False)
    with pytest.raises(FileError, match="--missing: 'k' was created with rating=zero"):
        require_same(there, exclude, append=True)


@pytest.fixture
def shop(plan: Planner) -> Experiment:
    return stored(plan(SHOP, control="old"))


def test_rows_of_one_arm_are_added_where_the_experiment_has_the_others(
    plan: Planner, shop: Experiment
) -> None:
    more = plan("userid,version,visits,bought,spend\n9,new,2,no,1.5\n", fewest_arms=1)

    require_same(shop, more, append=True)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "userid,version,visits,bought,spend\n9,new,1,no,1\n",
            {},
            "--metric: 'k' was created with visits as a mean, and this file's column is read as a proportion; say "
            "--metric visits=visits:mean --metric bought=bought:proportion --metric spend=spend:mean",
        ),
        (
            "userid,version,visits,bought,spend\n9,new,2,no,unknown\n",
            {},
            "--metric: 'k' has spend, and this file's column of that name is passed over, which would count as 0",
        ),
        (
            "version,visits,bought,spend\nnew,2,no,1.5\n",
            {},
            "--append: no column names the units, so that these rows can't be told from those that are stored",
        ),
        (
            "userid,version,visits,bought,spend\n9,new,2,no,1.5\n",
            {"lower": ("visits",)},
            "--lower: 'k' was created with visits better when higher",
        ),
    ],
)
def test_rows_whose_values_would_mean_something_else_are_not_added(
    plan: Planner, shop: Experiment, text: str, options: dict[str, tuple[str, ...]], message: str
) -> None:
    more = plan(text, fewest_arms=1, **options)

    with pytest.raises(FileError) as caught:
        require_same(shop, more, append=True)

    assert str(caught.value).startswith(message)


def test_a_column_that_is_to_be_passed_over_is(plan: Planner, shop: Experiment) -> None:
    text = "userid,version,visits,bought,spend\n9,new,2,no,unknown\n"

    require_same(shop, plan(text, fewest_arms=1, ignore=("spend",)), append=True)


def test_the_same_file_may_be_sent_again_without_a_column_of_units(plan: Planner) -> None:
    text = "variant,visits\na,2\nb,3\n"

    require_same(stored(plan(text)), plan(text), append=False)


def test_a_file_stays_apart_from_an_experiment_of_other_content(
    plan: Planner, shop: Experiment, tmp_path: Path
) -> None:
    with pytest.raises(FileError, match="not this file's content; choose another key, or say --append"):
        require_same(shop, plan(SHOP + "5,old,1,False,1\n"), append=False)
