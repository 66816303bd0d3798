"""What a result is in every state an experiment and its data can be in, and that none without numbers is a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from neonblue.analysis import ExperimentRows, MomentRow, QuantileRow, ask, entered_units, shown
from neonblue.analysis.answer import Answer, answer_of, nothing
from neonblue.analysis.rows import Products
from neonblue.analysis.stamp import Stamp
from neonblue.analysis.why import OK, State
from neonblue.contract.looks import LookMessage
from neonblue.contract.messages import DenominatorMessage, ExperimentMessage, MetricMessage, VariantMessage
from neonblue.results.arrivals import Arrivals
from neonblue.results.states import (
    BUILD_MINUTE,
    NOT_INGESTED,
    assigned_of,
    before_the_start,
    never_built,
    next_build,
    not_built,
    state_of,
    without_units,
)
from neonblue.results.warehouse import Counted
from orchestration.defs.warehouse.schedules import hourly

NOW = datetime(2026, 3, 8, 19, 30, tzinfo=UTC)
STARTED = NOW - timedelta(days=6, hours=1)
COUNTED = Counted(NOW - timedelta(seconds=12), NOW - timedelta(minutes=24), NOW.replace(minute=0))
STATUSES = ("draft", "scheduled", "running", "paused", "concluded", "archived")
METRICS: dict[str, dict[str, Any]] = {
    "proportion": {"aggregation": "any"},
    "retention": {"aggregation": "any", "window_start_seconds": 86_400, "window_seconds": 172_800},
    "count": {"aggregation": "count"},
    "mean": {"aggregation": "sum"},
    "ratio": {
        "aggregation": "sum",
        "denominator": DenominatorMessage(event_type="page_view", aggregation="count"),
    },
    "quantile": {"aggregation": "sum", "quantile": "0.5"},
}
# How far the data are: rows in the numbers per arm, what has arrived beside them, days of which no sums were built.
DATA: dict[str, tuple[int, Arrivals, int]] = {
    "nothing assigned": (0, Arrivals(), 0),
    "assigned, not exposed": (0, Arrivals(assigned=4_000), 0),
    "exposed, not in the view yet": (0, Arrivals(4_000, 4_000, for_view=4_000), 0),
    "ingested, not built": (0, Arrivals(4_000, 4_000, for_build=8_000), 0),
    "some days built": (1_000, Arrivals(4_000, 4_000), 2),
    "some rows built": (1_000, Arrivals(4_000, 4_000, for_build=4_000), 0),
    "few units": (1, Arrivals(2, 2), 0),
    "built": (2_000, Arrivals(4_000, 4_000), 0),
}


def experiment(status: str, kind: str, metric: str, **fields: Any) -> ExperimentMessage:
    begun = status not in ("draft", "scheduled")
    given: dict[str, Any] = {
        "source": "external" if kind == "imported" else "internal",
        "inference": "group_sequential" if kind == "planned" else "confidence_sequence",
        "planned_units": 40_000 if kind == "planned" else None,
        "started_at": STARTED.isoformat() if begun else None,
        "concluded_at": NOW.isoformat() if status in ("concluded", "archived") else None,
        "scheduled_start_at": (NOW + timedelta(days=1)).isoformat() if status == "scheduled" else None,
        **fields,
    }
    return ExperimentMessage(
        experiment_id=1,
        key="gate",
        unit_type="user",
        population="exposed",
        status=status,
        version=1,
        salt="s",
        allocation=10_000,
        variants=[VariantMessage(key=key, weight=1, is_control=key == "control") for key in ("control", "b")],
        metrics=[MetricMessage(key="m", type=metric, event_type="purchase", **METRICS[metric])],
        received_at=STARTED.isoformat(),
        **given,
    )


def rows_of(metric: str, n: int) -> ExperimentRows:
    """Control never, b always: with so many units, whatever plan there is sees a difference."""
    finished = NOW - timedelta(days=2) if metric == "retention" else None
    moments, quantiles = [], []
    for arm, value in (("control", 0), ("b", 1)) if n else ():
        # Half of the units are worth one more, so that there is a variance.
        total, squares = (
            Decimal(n * value + n // 2),
            Decimal((n - n // 2) * value**2 + (n // 2) * (value + 1) ** 2),
        )
        if metric in ("proportion", "retention"):
            total = squares = Decimal(n * value)
        below = Products(Decimal(2 * n), Decimal(4 * n), 2 * total) if metric == "ratio" else None
        day = date(2026, 3, 3)
        moments.append(
            MomentRow("m", 1, arm, 1, day, n, total, squares, denominator=below, finishes_at=finished)
        )
        if metric == "quantile":
            quantiles.append(QuantileRow("m", 1, arm, n, value, value - 0.1, value + 0.1))
    units = entered_units(moments)
    return ExperimentRows(moments, quantiles, units, exposed=2 * n, assigned=2 * n)


def answer(
    configuration: ExperimentMessage, data: str, metric: str, looks: Sequence[LookMessage] | None = None
) -> Answer:
    """As a look gives it, from what it read. looks: those that are kept; by default those that were due were taken."""
    stamp = Stamp(NOW, NOW, 1)
    n, arrivals, days = DATA[data]
    rows = rows_of(metric, n)
    why = before_the_start(configuration) or state_of(configuration, rows, arrivals, days, COUNTED, NOW)
    if why.state not in (State.OK, State.NO_DATA):
        return nothing("gate", 1, stamp, why)
    question = ask({1: configuration}, rows, NOW.date(), looks, now=NOW)
    return answer_of(question, shown(question, question.answer()), stamp, why, arrivals.assigned)


def expected(status: str, kind: str, data: str) -> State:
    if status in ("draft", "scheduled"):
        return State.NOT_STARTED
    few = State.OK if kind == "imported" else State.TOO_EARLY
    return {
        "nothing assigned": State.NO_DATA,
        "assigned, not exposed": State.NO_DATA,
        "exposed, not in the view yet": State.ON_ITS_WAY,
        "ingested, not built": State.NOT_BUILT,
        "some days built": State.NOT_BUILT,
        # Of its own data what came late for a closed hour is counted with the next build, as `watermark` says.
        "some rows built": State.NOT_BUILT if kind == "imported" else State.OK,
        "few units": few,
        "built": State.OK,
    }[data]


@pytest.mark.parametrize(
    ("status", "kind", "data", "metric"),
    list(product(STATUSES, ("live", "planned", "imported"), DATA, METRICS)),
)
def test_every_state_of_an_experiment_and_its_data_has_its_status_and_no_verdict_without_numbers(
    status: str, kind: str, data: str, metric: str
) -> None:
    found = answer(experiment(status, kind, metric), data, metric)

    wanted = expected(status, kind, data)
    assert found.status == wanted, found.reason
    assert bool(found.reason) == (wanted is not State.OK)
    if wanted is not State.OK:
        assert found.decision is None or found.decision.action in ("keep_running", "inconclusive")
        for item in found.items:
            assert item.status != "ok"
            assert item.verdict == "unknown"
            assert (item.difference, item.ci_low, item.relative_lift, item.p_value) == (None,) * 4
    if wanted not in (State.OK, State.TOO_EARLY):
        assert found.decision is None
    if wanted in (State.NOT_BUILT, State.ON_ITS_WAY):
        assert found.items == ()


@pytest.mark.parametrize("kind", ["live", "imported"])
def test_what_waits_for_a_build_says_how_much_and_when_it_comes(kind: str) -> None:
    found = answer(experiment("running", kind, "proportion"), "ingested, not built", "proportion")

    assert found.reason == (
        "The numbers have not been computed: assignments of 4,000 ids are stored, 8,000 rows wait for a build. "
        "The next build begins at 20:05Z; 'neonblue build' begins one now."
    )


def test_what_is_on_its_way_says_how_old_the_view_is() -> None:
    found = answer(experiment("running", "live", "proportion"), "exposed, not in the view yet", "proportion")

    assert "19:29:48Z, 12 seconds ago" in found.reason
    assert "up to 20 seconds" in found.reason


def test_an_experiment_whose_units_are_never_exposed_says_so() -> None:
    found = answer(experiment("running", "live", "proportion"), "assigned, not exposed", "proportion")

    assert found.reason.startswith("4,000 ids were assigned and none has been exposed yet.")


def test_few_units_are_told_with_the_number_that_is_needed() -> None:
    found = answer(experiment("running", "live", "proportion", planned_days=14), "few units", "proportion")

    assert found.reason == "Too early: 2 of at least 200 units, 100 in each arm."
    assert (found.units, found.units_needed) == (2, 200)
    assert found.decision is not None
    assert found.decision.sentence == "Keep running: 2 units so far, no verdict yet. Day 7 of 14."
    assert found.decision.days_left == 8.0
    assert found.plan is not None
    assert (found.plan.day, found.plan.planned_days, found.plan.days_left) == (7, 14, 8.0)


def test_a_rate_of_few_outcomes_has_no_numbers_that_read_like_a_result() -> None:
    day, counts = date(2026, 3, 3), {"control": (20, 9900), "b": (3, 100)}
    moments = [MomentRow("m", 1, arm, 1, day, n, Decimal(x), Decimal(x)) for arm, (x, n) in counts.items()]
    rows = ExperimentRows(moments, [], entered_units(moments), exposed=10_000, assigned=10_000)
    question = ask({1: experiment("running", "live", "proportion")}, rows, NOW.date(), now=NOW)

    found = answer_of(question, shown(question, question.answer()), Stamp(NOW, NOW, 1), OK, 10_000)

    (item,) = found.items
    assert "0.2 of at least 5 expected outcomes in the smaller arm" in item.status_reason
    assert item.difference is item.ci_low is item.relative_lift is item.p_value is None
    assert found.units_needed is None
    assert found.decision is not None
    assert found.decision.action != "roll_back"


def test_few_units_before_the_first_look_are_told_as_well() -> None:
    found = answer(experiment("running", "planned", "proportion"), "few units", "proportion", looks=())

    assert (found.status, found.items[0].status) == (State.TOO_EARLY, "too_early")
    assert found.reason == (
        "Too early: 2 of at least 200 units, 100 in each arm. The first look is taken when the day is over."
    )


def test_a_conclusion_on_few_units_is_not_worded_as_a_result() -> None:
    found = answer(experiment("concluded", "live", "proportion"), "few units", "proportion")

    assert found.decision is not None
    assert (
        found.decision.sentence == "No decision: m: Too few units: 2 of at least 200 units, 100 in each arm."
    )


def test_a_metric_that_came_after_its_units_is_not_built() -> None:
    configuration = experiment("running", "live", "proportion")
    configuration.metrics.append(
        MetricMessage(key="late", type="proportion", event_type="x", aggregation="any")
    )
    found = answer(configuration, "built", "proportion")

    assert found.status == State.NOT_BUILT
    assert "of all 4,000 units for late" in found.reason


def test_units_that_the_last_build_read_and_left_out_wait_for_nothing() -> None:
    rows = ExperimentRows(several_arms=3, exposed=3)
    why = state_of(
        experiment("running", "live", "mean"), rows, Arrivals(assigned=3, exposed=3), 0, COUNTED, NOW
    )

    assert why.state is State.NO_DATA
    assert why.reason.startswith("All 3 units were met in several arms")


@pytest.mark.parametrize(
    ("rows", "arrivals", "said"),
    [
        (
            ExperimentRows(assigned=3),
            Arrivals(assigned=5),
            "3 units were assigned and none has been exposed yet.",
        ),
        (ExperimentRows(), Arrivals(assigned=5), "5 ids were assigned and none has been exposed yet."),
        (
            ExperimentRows(),
            Arrivals(exposed=5),
            "Exposures of 5 ids were sent and none of these has an assignment.",
        ),
    ],
)
def test_ids_of_which_one_person_may_have_several_are_not_called_units(
    rows: ExperimentRows, arrivals: Arrivals, said: str
) -> None:
    assert without_units(
        experiment("running", "live", "mean"), rows, arrivals, COUNTED, NOW
    ).reason.startswith(said)


def test_stored_ids_are_no_units_that_the_numbers_lack() -> None:
    why = not_built(
        experiment("running", "imported", "mean"),
        rows_of("mean", 45),
        Arrivals(assigned=100, for_build=3),
        0,
        NOW,
    )
    assert why is not None
    assert "assignments of 100 ids are stored, 90 units are in the numbers, 3 rows wait" in why.reason


def test_before_the_first_build_and_before_the_configuration_there_is_no_verdict() -> None:
    for why in (never_built(NOW), NOT_INGESTED):
        found = nothing("gate", 1, Stamp(NOW, None, None), why)
        assert (found.decision, found.items) == (None, ())
        assert found.reason
    assert OK.reason == ""


@pytest.mark.parametrize(
    ("moment", "hour"),
    [
        (NOW, "20:05"),
        (NOW.replace(minute=4, second=59), "19:05"),
        (NOW.replace(minute=5), "20:05"),
        (NOW.replace(hour=23), "00:05"),
    ],
)
def test_the_next_build_is_the_next_time_that_the_schedule_fires(moment: datetime, hour: str) -> None:
    assert f"begins at {hour}Z;" in next_build(moment)
    assert hourly.cron_schedule == f"{BUILD_MINUTE} * * * *"


@pytest.mark.parametrize(
    ("counted", "arrivals", "assigned"),
    [
        (90, Arrivals(assigned=100), 90),
        (90, Arrivals(assigned=100, for_build=3), 100),
        (90, Arrivals(assigned=100, for_view=3), 100),
        (0, Arrivals(assigned=100), 100),
        (90, Arrivals(), 90),
    ],
)
def test_an_id_that_is_linked_is_no_unit_more_once_every_row_is_counted(
    counted: int, arrivals: Arrivals, assigned: int
) -> None:
    assert assigned_of(ExperimentRows(assigned=counted), arrivals) == assigned
