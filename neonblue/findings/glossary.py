"""The words of results: one for each notion, in reports, on the command line and in the docs.

`docs/glossary.md` holds the same rows; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its meaning, and what it is called in the API's JSON; empty where it is not there."""

    word: str
    meaning: str
    in_api: str = ""


GLOSSARY = (
    Word("unit", "What gets a variant: a user, or another type that the experiment names.", "unit_type"),
    Word(
        "variant",
        "One of the alternatives that an experiment serves; the control is the one compared with.",
        "variant_key",
    ),
    Word("arm", "The units of one variant, as the statistics compare them.", "variant_key"),
    Word("split", "Each arm's share of the units that enter, by the variants' weights.", "weight"),
    Word("traffic", "The share of all units that may enter the experiment.", "allocation (basis points)"),
    Word("exposure", "A unit met its variant. From its first exposure on it is analysed.", "exposure"),
    Word(
        "units in several arms",
        "Units that were exposed to more than one variant; they are left out.",
        "multiply_exposed",
    ),
    Word(
        "primary metric",
        "A metric that decides; together with the other primary ones it keeps the error rate.",
        "role: primary",
    ),
    Word("secondary metric", "A metric that explains and decides nothing.", "role: secondary"),
    Word(
        "guardrail",
        "A metric that must not get worse, or not by more than its margin.",
        "role: guardrail",
    ),
    Word("lower is better", "The metric is meant to fall: a rise is worse.", "direction: decrease"),
    Word(
        "margin",
        "The loss that is accepted of a guardrail: in % of the control's value, or in the metric's unit.",
        "margin",
    ),
    Word(
        "difference",
        "The arm's value minus the control's; of shares in percentage points (pp).",
        "difference",
    ),
    Word("change", "The difference as a share of the control's value, in %.", "relative_lift"),
    Word(
        "interval",
        "The range that holds the true value at the level named, such as 95 %. A stricter level makes"
        " it wider: with several primary metrics, or where a sequence may be read at any time.",
        "ci_low, ci_high, level",
    ),
    Word(
        "p",
        "How often data as extreme as these would come about if there were no difference; valid under"
        " the plan.",
        "p_value",
    ),
    Word(
        "p, adjusted",
        "The p-value after allowing for the metrics and arms that are judged together; the verdict "
        "follows it. What the test says alone stands beside it where it differs.",
        "adjusted_p",
    ),
    Word(
        "better, worse",
        "The verdict: the metric moved in its good or bad direction, at the error rate of the plan.",
        "verdict: better, worse",
    ),
    Word(
        "not decided",
        "The verdict: there is a test, and it shows neither better nor worse.",
        "verdict: undecided",
    ),
    Word(
        "no test",
        "The verdict where no test could be made; its reason stands beside it.",
        "verdict: unknown",
    ),
    Word(
        "within, beyond its margin",
        "A guardrail's loss is shown to be less, or more, than its margin.",
        "guardrail: held, breached",
    ),
    Word("not shown to be within its margin", "Neither is shown yet.", "guardrail: open"),
    Word(
        "plan",
        "How the experiment is decided, as fixed at its start: when it is looked at, and which error "
        "each look may spend.",
        "plan",
    ),
    Word("look", "One reading of the data under the plan that counts.", "looks"),
    Word("finished", "A unit whose metric window has ended; only such units are judged.", "unfinished_*"),
    Word(
        "sample ratio",
        "Units per arm against the split. Where they do not fit, the results are not to be used.",
        "sample_ratio",
    ),
    Word("watermark", "Everything received up to then is in the numbers.", "watermark"),
    Word(
        "the data say",
        "What the results lead to under the plan: ship, roll back, keep running, no decision, do not "
        "use these results, too early.",
        "decision.action",
    ),
    Word("decided", "What people recorded when they concluded the experiment.", "about.recorded"),
    Word(
        "not started",
        "No unit can enter yet: a draft, or one that waits for its time.",
        "status: not_started",
    ),
    Word(
        "not arrived",
        "The experiment's configuration has not reached the warehouse yet.",
        "status: not_ingested",
    ),
    Word("no data yet", "Nothing has arrived from a unit that can be analysed.", "status: no_data"),
    Word(
        "on its way",
        "The first units have arrived, and seconds later they are in the numbers.",
        "status: on_its_way",
    ),
    Word(
        "not built yet",
        "Units or rows have arrived, and the next build counts them.",
        "status: not_built",
    ),
    Word("too early", "There are too few units for any number to say something.", "status: too_early"),
)
