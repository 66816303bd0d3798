"""From an experiment's snapshots and the warehouse's sums to the statistics engine's question. Pure.

The one place that knows both the wire format and the statistics: orchestration and API ask the same question of the
same sums, and so get the same answer.
"""

from neonblue.analysis.question import Question, ask, metric_of
from neonblue.analysis.rows import ArmUnits, ExperimentRows, MomentRow, QuantileRow

__all__ = [
    "ArmUnits",
    "ExperimentRows",
    "MomentRow",
    "QuantileRow",
    "Question",
    "ask",
    "metric_of",
]
