"""From an experiment's snapshots and the warehouse's sums to the statistics engine's question. Pure.

The one place that knows both the wire format and the statistics: orchestration and API ask the same question of the
same sums, and so get the same answer.
"""

from neonblue.analysis.experiment import entered_by_day, entered_units, experiment_of, metric_of
from neonblue.analysis.looks import look_of
from neonblue.analysis.question import Question, ask
from neonblue.analysis.rows import ArmUnits, ExperimentRows, MomentRow, QuantileRow
from neonblue.analysis.shown import Course, course_of, is_too_early, shown, smallest_arm, too_small
from neonblue.analysis.windows import SoFar, finished_by, interruptions

__all__ = [
    "ArmUnits",
    "Course",
    "ExperimentRows",
    "MomentRow",
    "QuantileRow",
    "Question",
    "SoFar",
    "ask",
    "course_of",
    "entered_by_day",
    "entered_units",
    "experiment_of",
    "finished_by",
    "interruptions",
    "is_too_early",
    "look_of",
    "metric_of",
    "shown",
    "smallest_arm",
    "too_small",
]
