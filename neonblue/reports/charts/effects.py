"""The experiment's effects as a forest plot, and their table."""

from __future__ import annotations

from collections.abc import Sequence

from neonblue.reports import wording
from neonblue.reports.charts.forest import Row, forest
from neonblue.reports.drawing import DataTable, Drawing
from neonblue.reports.model import Effect

COLUMNS = ("metric", "arm", "change", "lower", "upper", "level", "p", "p, corrected")


def effects_chart(effects: Sequence[Effect], arms: Sequence[str]) -> Drawing | None:
    """The effects that have a lift; None where none has."""
    many = len(arms) > 2
    rows = [
        Row(
            f"{effect.metric}, {effect.arm}" if many else effect.metric,
            effect.lift,
            effect.lift_lower,
            effect.lift_upper,
            effect.verdict,
        )
        for effect in effects
        if effect.lift is not None
    ]
    if not rows:
        return None
    return forest(
        "effects", "Change of each metric, with its interval", rows, effects_table(effects), control=arms[0]
    )


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
                f"{100 * effect.level:.4g} %",
                wording.p_value(effect.p_value),
                wording.p_value(effect.adjusted_p),
            )
            for effect in effects
        ),
    )
