"""Pages of what the analysis itself answers: every state of an experiment and its data, and every type of metric."""

from __future__ import annotations

from itertools import product

import pytest

from api.experiments.answers import ExperimentOut
from api.experiments.service import Census
from api.results.glances import Glance
from api.web.experiment.page import experiment_page
from api.web.experiments.page import Wanted, list_page
from api.web.shared.frame import render
from neonblue.analysis import ask, shown
from neonblue.analysis.answer import answer_of, nothing
from neonblue.analysis.stamp import Stamp
from neonblue.analysis.why import State
from neonblue.contract.life_cycle import Status
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.look import Look
from neonblue.results.states import before_the_start, state_of
from neonblue.statistics import numbers
from tests.unit.api.web import made
from tests.unit.api.web.html import parsed
from tests.unit.api.web.test_experiment_page import FRAME, check_form, check_policy
from tests.unit.results import test_states as states


def look_of(configuration: ExperimentMessage, data: str, metric: str) -> Look:
    """As ClickHouse's rows lead to it."""
    stamp = Stamp(states.NOW, states.NOW, 1)
    n, arrivals, days = states.DATA[data]
    rows = states.rows_of(metric, n)
    why = before_the_start(configuration) or state_of(
        configuration, rows, arrivals, days, states.COUNTED, states.NOW
    )
    if why.state not in (State.OK, State.NO_DATA):
        return Look(stamp, nothing("gate", 1, stamp, why), configuration)
    question = ask({1: configuration}, rows, states.NOW.date(), now=states.NOW)
    report = shown(question, question.answer())
    answer = answer_of(question, report, stamp, why, arrivals.assigned)
    return Look(stamp, answer, configuration, rows, question, report)


def stored(configuration: ExperimentMessage) -> ExperimentOut:
    """The experiment as PostgreSQL has it."""
    (metric,) = configuration.metrics
    fields = {name: getattr(metric, name) for name in type(metric).__struct_fields__ if name != "denominator"}
    below = metric.denominator
    denominator = (
        None
        if below is None
        else {"event_type": below.event_type, "aggregation": below.aggregation, "property_filter": None}
    )
    return made.experiment(
        Status(configuration.status),
        key=configuration.key,
        source=configuration.source,
        variants=[made.variant("control"), made.variant("b")],
        metrics=[made.metric(metric.key, **fields_but(fields, "key", "role"), denominator=denominator)],
        planned_units=configuration.planned_units,
        started_at=configuration.started_at,
        concluded_at=configuration.concluded_at,
        scheduled_start_at=configuration.scheduled_start_at,
    )


def fields_but(fields: dict[str, object], *left_out: str) -> dict[str, object]:
    return {name: value for name, value in fields.items() if name not in left_out}


@pytest.mark.parametrize("metric", states.METRICS)
def test_every_look_has_a_page_and_a_row(metric: str) -> None:
    for status, kind, data in product(states.STATUSES, ("live", "planned", "imported"), states.DATA):
        place = (status, kind, data)
        configuration = states.experiment(status, kind, metric)
        experiment, glance = stored(configuration), Glance(look_of(configuration, data, metric), 1.0)
        page = experiment_page(experiment, glance, [made.version(1, "create")], states.NOW, may_edit=True)
        assert page.decision.title, place
        assert page.decision.say or page.decision.data, place
        found = parsed(render("experiment.html", FRAME, page=page))
        check_policy(found)
        check_form(found)
        listed = list_page(
            [experiment], {experiment.key: glance}, Census({}, [], []), Wanted(), (None, None), states.NOW
        )
        ((_, (row,)),) = listed.groups
        assert bool(row.interval) != bool(row.nothing), place
        has_numbers = glance.look is not None and bool(glance.look.answer.units)
        assert (page.exposures is not None) == (
            has_numbers and (kind == "imported" or status not in ("draft", "scheduled"))
        ), place


def test_the_numbers_of_the_page_are_those_of_the_answer() -> None:
    configuration = states.experiment("running", "live", "mean")
    look = look_of(configuration, "built", "mean")
    page = experiment_page(stored(configuration), Glance(look, 1.0), [], states.NOW, may_edit=False)
    (item,) = look.answer.items
    assert page.metrics is not None
    ((row,),) = (arm.rows for arm in page.metrics.arms)
    assert row.p == numbers.p_value(item.adjusted_p)
    assert row.control == numbers.number(item.mean_control, digits=len(row.control.partition(".")[2]))
    assert (row.verdict, row.kind, row.mark) == ("better", "better", "✓")
    assert page.exposures is not None
    assert [(arm.arm, arm.units, arm.expected) for arm in page.exposures.arms] == [
        ("control", "2,000", "2,000"),
        ("b", "2,000", "2,000"),
    ]
    assert page.exposures.verdict is not None
    assert page.exposures.verdict.text == "fits"
    assert page.decision.title == "Ship b"
    assert look.answer.decision is not None
    assert look.answer.decision.sentence == f"Ship b: {page.decision.say}"
