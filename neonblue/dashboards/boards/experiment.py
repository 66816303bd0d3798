"""One experiment: who came in, whether the ratio is as planned, and what its metrics say."""

from __future__ import annotations

from grafana_foundation_sdk.models import units

from neonblue.dashboards.model import (
    ONE_COLOUR,
    Board,
    ClickHouse,
    Colour,
    Column,
    Kind,
    Panel,
    Row,
    Variable,
    Word,
)

_VARIANT = "${__field.labels.variant_key}"

_SAYS = Row(
    "What does it say?",
    (
        Panel(
            "Decision",
            "What the last published results lead to. It is computed after each build, every hour; `neonblue "
            "results KEY` and the experiment's page have it as of now.",
            (ClickHouse("decision"),),
            Kind.TABLE,
            width=24,
            height=4,
            columns=(
                Column("computed_at", units.DateTimeFromNow, "Computed"),
                Column("action", shown="Decision"),
                Column("variant_key", shown="Variant"),
                Column("sentence", shown="In words"),
                Column("broken", shown="What makes it unusable"),
            ),
            empty="No results have been published yet",
        ),
        Panel(
            "Variants now",
            "Each variant as it is now. A rate is of units, not of events.",
            (ClickHouse("variants"),),
            Kind.TABLE,
            width=24,
            height=6,
            columns=(
                Column("variant_key", shown="Variant"),
                Column("weight", shown="Weight"),
                Column("analysed_units", units.Short, "Units"),
                Column("all_events", units.Short, "Events"),
                Column("all_conversions", units.Short, "Conversions"),
                Column("converted_units", units.Short, "Units that converted"),
                Column("conversion_rate", units.PercentUnit, "Share that converted"),
                Column("total_value", units.Short, "Value"),
                Column("last_exposed_at", units.DateTimeFromNow, "Last exposure"),
            ),
        ),
        Panel(
            "Published results",
            "Each metric and variant against control, as it was last published: the lift with its interval, "
            "p adjusted for the number of metrics, and what that means in the metric's own direction. A "
            "decision stands on these, not on lines.",
            (ClickHouse("results"),),
            Kind.TABLE,
            width=24,
            columns=(
                Column("metric_key", shown="Metric"),
                Column("role", shown="Role"),
                Column("variant_key", shown="Variant"),
                Column("mean_control", shown="Control"),
                Column("mean_variant", shown="Variant's"),
                Column("relative_lift", units.PercentUnit, "Lift"),
                Column("relative_ci_low", units.PercentUnit, "from"),
                Column("relative_ci_high", units.PercentUnit, "to"),
                Column("level", units.PercentUnit, "Interval's level"),
                Column("adjusted_p", shown="p, adjusted"),
                Column("verdict", shown="Verdict"),
                Column("guardrail", shown="Guardrail"),
                Column("status_reason", shown="Why a number is missing"),
            ),
            empty="No results have been published yet",
        ),
    ),
)

_CAME = Row(
    "Who came in?",
    (
        Panel(
            "First exposures",
            "Units that met their variant for the first time, by variant. An arm that gets none while others "
            "do is broken, or has been closed.",
            (ClickHouse("first_exposures", _VARIANT),),
            Kind.BARS,
            stacked=True,
            empty="nobody in this time",
        ),
        Panel(
            "Share of units",
            "Each variant's share of all units so far. The lines settle at the weights; where a change of "
            "weights is not the cause, a line that leaves its place means that units get lost in one arm.",
            (ClickHouse("shares", _VARIANT),),
            unit=units.PercentUnit,
            most=1,
            empty="nobody in this time",
        ),
        Panel(
            "Who is left out",
            "Assigned units, those that met their variant, and those who are analysed; and why others are not.",
            (ClickHouse("health"),),
            Kind.NUMBER,
            columns=(
                Column("assigned_units", units.Short, "assigned"),
                Column("exposed_units", units.Short, "met their variant"),
                Column("analysed_units", units.Short, "analysed"),
                Column("exposed_without_assignment", units.Short, "without assignment"),
                Column("units_in_several_variants", units.Short, "in several variants"),
            ),
            steps=ONE_COLOUR,
        ),
        Panel(
            "Sample ratio by stage",
            "How many units reached each stage, and how many the weights of each configuration would have "
            "sent there. A small p means that the ratio is no accident: no result of this experiment can be "
            "trusted until the first broken stage is found and mended.",
            (ClickHouse("sample_ratio"),),
            Kind.TABLE,
            width=24,
            columns=(
                Column("stage", shown="Stage"),
                Column("variant_key", shown="Variant"),
                Column("reached", units.Short, "Units"),
                Column("planned", units.Short, "By the weights"),
                Column("p", shown="p"),
                Column(
                    "first_broken",
                    shown="As planned",
                    words={0: Word("yes", Colour.GOOD), 1: Word("breaks here", Colour.BAD)},
                ),
            ),
            empty="No results have been published yet",
        ),
    ),
)

_METRIC = Row(
    "The metric",
    (
        Panel(
            "$metric by day of the first exposure",
            "What a unit has on average, by the day it came in; of units whose window has ended. Single days "
            "swing: read the course beside, not one day.",
            (ClickHouse("metric_by_day", _VARIANT),),
            width=12,
        ),
        Panel(
            "Lift of $metric as it was published",
            "The lift against control with its interval, at each publication. It may cross 0 for long before "
            "it settles: stopping when it looks good is what the plan guards against.",
            (ClickHouse("course"),),
            unit=units.PercentUnit,
            width=12,
            empty="No results have been published yet",
        ),
    ),
)

_DAYS = Row(
    "Day by day",
    (
        Panel(
            "Events",
            "Events of the experiment's units from their first exposure on, by UTC day.",
            (ClickHouse("events_by_day", _VARIANT),),
        ),
        Panel(
            "Conversions",
            "Conversion events by UTC day.",
            (ClickHouse("conversions_by_day", _VARIANT),),
        ),
        Panel(
            "Value",
            "Sum of the events' values by UTC day.",
            (ClickHouse("value_by_day", _VARIANT),),
        ),
    ),
)

EXPERIMENT = Board(
    "neonblue-experiment",
    "NeonBlue: one experiment",
    "Who came in, whether the ratio is as planned, and what the metrics say. Choose the experiment at the top.",
    "30d",
    (_SAYS, _CAME, _METRIC, _DAYS),
    (
        Variable("experiment", "Experiment", ClickHouse("experiments")),
        Variable("metric", "Metric", ClickHouse("metrics")),
    ),
    refresh="1m",
)
