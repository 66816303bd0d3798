"""The experiment's effects as a forest plot, and their table."""

from __future__ import annotations

from collections.abc import Sequence

from neonblue.findings.effect import Effect, direction_of, margin_of
from neonblue.reports import wording
from neonblue.reports.charts.forest import Row, forest
from neonblue.reports.drawing import DataTable, Drawing

COLUMNS = ("metric", "arm", "change", "lower", "upper", "level", "p alone", "p, adjusted", "margin", "better")


def effects_chart(effects: Sequence[Effect], arms: Sequence[str]) -> Drawing | None:
    """The effects that have a lift; None where none has."""
    many = len(arms) > 2
    rows = [
        Row(
            _label(effect, many=many),
            effect.lift,
            effect.lift_lower,
            effect.lift_upper,
            effect.verdict,
            effect.level,
            effect.margin_as_change,
        )
        for effect in effects
        if effect.lift is not None
    ]
    if not rows:
        return None
    return forest("effects", "Change of each metric", rows, effects_table(effects), control=arms[0])


def effects_table(effects: Sequence[Effect]) -> DataTable:
    """The numbers behind the plot, also of effects that have no lift."""
    return DataTable(
        COLUMNS,
        tuple(
            (
                effect.metric,
                effect.arm,
                wording.share(effect.lift, sign=True),
                wording.share(effect.lift_lower, sign=True),
                wording.share(effect.lift_upper, sign=True),
                wording.level(effect.level) if effect.has_interval else wording.NONE,
                wording.p_value(effect.p_value),
                wording.p_value(effect.adjusted_p),
                margin_of(effect) or wording.NONE,
                "lower" if effect.lower_is_better else "higher",
            )
            for effect in effects
        ),
    )


def _label(effect: Effect, *, many: bool) -> str:
    name = f"{effect.metric}, {effect.arm}" if many else effect.metric
    return f"{name} ({direction_of(effect)})" if effect.lower_is_better else name
