"""Whether a file's rows belong into an experiment that is there already. Pure."""

from __future__ import annotations

from shlex import quote

from neonblue.client import Experiment, Metric
from neonblue.simulation.plan import Plan, definition, experiment_name
from neonblue.statistics.experiment.missing import Missing
from neonblue.tables.arms import slug
from neonblue.tables.errors import FileError
from neonblue.tables.outcomes import Kind


def require_same(experiment: Experiment, plan: Plan, *, append: bool) -> None:
    """FileError where this file would be mixed into an experiment that is not its own."""
    key = experiment.key
    if experiment.source != "external":
        raise FileError(f"--key: {key!r} is an experiment of this platform's own; choose another key")
    own = experiment.name == experiment_name(plan.table)
    if not own and not append:
        raise FileError(
            f"--key: {key!r} holds {experiment.name}, not this file's content; choose another key, "
            "or say --append to add these rows"
        )
    arms = {variant.key for variant in experiment.variants}
    if not set(plan.variants.values()) <= arms:
        raise FileError(f"--variant: {key!r} has the arms {', '.join(sorted(arms))}")
    if not own:
        _require_units(plan)
    _require_metrics(experiment, plan, own=own)


def _require_units(plan: Plan) -> None:
    """Rows of another file have the same numbers, so that they would be taken for units that are there."""
    if plan.reading.sheet.roles.unit is None:
        raise FileError(
            "--append: no column names the units, so that these rows can't be told from those that are stored; "
            "name it with --unit"
        )


def _require_metrics(experiment: Experiment, plan: Plan, *, own: bool) -> None:
    """FileError where a metric would get values that mean something else there, or none at all."""
    key, stored = experiment.key, {metric.key: metric for metric in experiment.metrics}
    here = {metric.name: definition(metric) for metric in plan.metrics}
    missing = sorted(set(here) - set(stored))
    if missing:
        raise FileError(f"--metric: {key!r} was created without {', '.join(missing)}")
    for name, metric in here.items():
        there = stored[name]
        if (metric.missing == Missing.EXCLUDE) != (there.missing == Missing.EXCLUDE):
            raise FileError(f"--missing: {key!r} was created with {name}={there.missing}")
        if _kind(metric) != _kind(there):
            raise FileError(
                f"--metric: {key!r} was created with {name} as a {_kind(there)}, and this file's column is read as a "
                f"{_kind(metric)}; say {_as_stored(experiment, plan)}"
            )
        if metric.direction == "decrease" and there.direction == "increase":
            raise FileError(f"--lower: {key!r} was created with {name} better when higher")
    unread = [name for name in stored if name not in here and name in _columns(plan)]
    if unread and not own and not plan.reading.sheet.options.metrics:
        raise FileError(
            f"--metric: {key!r} has {', '.join(unread)}, and this file's column of that name is passed over, which "
            f"would count as 0; say {_as_stored(experiment, plan)}, or --ignore it"
        )


def _as_stored(experiment: Experiment, plan: Plan) -> str:
    """The options that read this file's columns as those of the experiment's metrics were read."""
    columns = _columns(plan)
    return " ".join(
        f"--metric {quote(f'{metric.key}={columns[metric.key]}:{_kind(metric)}')}"
        for metric in experiment.metrics
        if metric.key in columns
    )


def _kind(metric: Metric) -> Kind:
    return Kind.PROPORTION if metric.type == Kind.PROPORTION else Kind.MEAN


def _columns(plan: Plan) -> dict[str, str]:
    """This file's columns by the key that a metric of their name has."""
    taken = plan.reading.sheet.roles.taken
    return {_key(name): name for place, name in enumerate(plan.table.columns) if place not in taken}


def _key(name: str) -> str:
    try:
        return slug(name)
    except FileError:
        return ""
