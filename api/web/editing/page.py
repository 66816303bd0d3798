"""The page on which an experiment is made or changed, as the template has it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.checklist.schemas import Checklist
from api.experiments import changes
from api.experiments.answers import ExperimentOut, VersionOut
from api.experiments.readiness import ChecklistItem, Grade
from api.http.problems import Problem
from api.metric_catalogue.schemas import CatalogueMetricOut
from api.web.editing.form import ACTIVE, TOP, Form, Said
from api.web.experiment.history import ChangedField, changes_since, fields_of
from neonblue.contract.life_cycle import STARTED
from neonblue.texts import plain

_LABELS = {
    "key": "Key", "name": "Name", "hypothesis": "Hypothesis", "owner": "Owner", "tags": "Tags", "variants": "Arms",
    "allocation": "Share of traffic", "layer": "Layer", "holdouts": "Holdouts", "targeting": "Targeting",
    "enrolment": "Enrolment", "outside": "Outside", "metrics": "Metrics", "ramp": "Ramp", "unit_type": "Unit",
    "population": "Population", "planned_days": "Planned days", "planned_units": "Planned units",
    "scheduled_start_at": "Starts", "scheduled_stop_at": "Stops",
}  # fmt: skip
_MARKS = {Grade.OK: ("✓", "ok"), Grade.WARNING: ("!", "warn"), Grade.BLOCKING: ("✗", "fail")}


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from: metrics of the catalogue, layers, holdouts, by key and name."""

    metrics: tuple[tuple[str, str], ...] = ()
    layers: tuple[str, ...] = ()
    holdouts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What is wrong with an input. place: its name, empty where none is meant; label: whose it is, in words."""

    place: str
    label: str
    message: str


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the checklist."""

    mark: str
    kind: str
    headline: str
    note: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a form that was sent.

    problem: why it was refused. checked: it could be saved as it is. changed: what saving would change, None where that
    was not asked; saw, versions: where somebody was quicker, which version was seen and the versions there are.
    """

    problem: Problem | None = None
    said: Said | None = None
    checked: bool = False
    changed: tuple[ChangedField, ...] | None = None
    saw: int = 0
    versions: Sequence[VersionOut] = ()


@dataclass(frozen=True, slots=True)
class EditingPage:
    """Everything the page shows.

    experiment: its key, empty of a new one. may_drop: whether arms may be dropped. layer_choices: by key and name, the
    chosen one among them.
    """

    experiment: str
    title: str
    version: int
    state: str
    form: Form
    choices: Choices
    open: frozenset[str]
    may_drop: bool
    layer_choices: tuple[tuple[str, str], ...]
    fixed_metrics: tuple[str, ...]
    errors: Mapping[str, str]
    told: tuple[Told, ...]
    checked: bool
    changed: tuple[ChangedField, ...] | None
    theirs: tuple[ChangedField, ...]
    saw: int
    checklist: tuple[Item, ...]
    checklist_says: str
    reason: str = ""

    def is_open(self, name: str) -> bool:
        """Whether the input may be changed in this state."""
        top = name.partition(".")[0]
        return ("variants" if name == "control" else top) in self.open


def open_fields(experiment: ExperimentOut | None, choices: Choices) -> frozenset[str]:
    """The inputs that may be changed, by the body's fields; `variants.active` where arms may be dropped only."""
    if experiment is None:
        return frozenset(TOP)
    allowed = changes.changeable(experiment.status)
    found = set(TOP if allowed is None else allowed & set(TOP)) - {"key"}
    if experiment.status in STARTED and "variants" in found:
        found = (found - {"variants"}) | {ACTIVE}
    if fixed_metrics(experiment, choices):
        found.discard("metrics")
    if experiment.source == "external":
        found -= {"layer", "holdouts", "targeting", "ramp", "enrolment"}
    return frozenset(found)


def fixed_metrics(experiment: ExperimentOut, choices: Choices) -> tuple[str, ...]:
    """Metrics that the experiment defines itself: a form of references can't say them."""
    known = {key for key, _ in choices.metrics}
    return tuple(metric.key for metric in experiment.metrics if metric.key not in known)


def choices_of(
    metrics: Sequence[CatalogueMetricOut], layers: Sequence[str], holdouts: Sequence[str]
) -> Choices:
    """What there is to choose from."""
    named = tuple((metric.key, plain(metric.name) if metric.name else "") for metric in metrics)
    return Choices(named, tuple(layers), tuple(holdouts))


def editing_page(
    experiment: ExperimentOut | None,
    form: Form,
    choices: Choices,
    answered: Answered | None = None,
    checklist: Checklist | None = None,
    reason: str = "",
) -> EditingPage:
    """The page with the form as it stands."""
    answered = answered or Answered()
    told = tuple(_told(answered))
    may_change = open_fields(experiment, choices)
    layers = dict.fromkeys(filter(None, (form.text("layer.key"), *choices.layers)))
    return EditingPage(
        experiment="" if experiment is None else experiment.key,
        title="New experiment" if experiment is None else plain(experiment.name or experiment.key),
        version=0 if experiment is None else experiment.version,
        state="" if experiment is None else experiment.status,
        form=form,
        choices=choices,
        open=may_change,
        may_drop=bool(may_change & {"variants", ACTIVE}),
        layer_choices=tuple((key, key) for key in layers),
        fixed_metrics=() if experiment is None else fixed_metrics(experiment, choices),
        errors={one.place: one.message for one in reversed(told) if one.place},
        told=told,
        checked=answered.checked,
        changed=answered.changed,
        theirs=changes_since(answered.versions, answered.saw) if answered.versions else (),
        saw=answered.saw,
        checklist=() if checklist is None else tuple(map(_item, checklist.items)),
        checklist_says="" if checklist is None else _sums_up(checklist),
        reason=reason,
    )


def would_change(before: ExperimentOut, after: ExperimentOut) -> tuple[ChangedField, ...]:
    """What saving changes, field by field."""
    return fields_of(changes.difference(before, after))


def as_seen(experiment: ExperimentOut, versions: Sequence[VersionOut], saw: int) -> ExperimentOut:
    """The experiment as it was in the version that was seen. versions: at least those that came after it."""
    fields = experiment.model_dump(mode="json")
    for version in sorted(versions, key=lambda version: version.version, reverse=True):
        if version.version > saw:
            fields |= {
                name: values["before"] for name, values in version.difference.items() if name in fields
            }
    return ExperimentOut.model_validate(fields)


def _told(answered: Answered) -> list[Told]:
    problem, said = answered.problem, answered.said
    found = {} if said is None else dict(said.errors)
    if problem is not None and problem.status != 412:
        errors = problem.members.get("errors") or [{"field": problem.field, "message": problem.detail}]
        for each in errors:
            place = said.place_of(each["field"]) if said is not None else (each["field"] or "")
            found.setdefault(place, str(each["message"]))
    return [Told(place, _label(place), message) for place, message in found.items()]


def _label(place: str) -> str:
    top, *rest = place.split(".")
    label = _LABELS.get(top, "")
    if rest and rest[0].isdigit():
        label += f", row {int(rest[0]) + 1}"
        rest = rest[1:]
    return ", ".join(filter(None, (label, *(part.replace("_", " ") for part in rest))))


def _item(item: ChecklistItem) -> Item:
    mark, kind = _MARKS[item.status]
    note = " ".join(filter(None, (item.cause, item.next_step)))
    return Item(mark, kind, plain(item.headline), plain(note))


def _sums_up(checklist: Checklist) -> str:
    counts = {grade: sum(item.status is grade for item in checklist.items) for grade in Grade}
    blocks, warns, fine = counts[Grade.BLOCKING], counts[Grade.WARNING], counts[Grade.OK]
    told = [f"{blocks} block{'s' * (blocks == 1)}"] if blocks else []
    told += [f"{warns} warn{'s' * (warns == 1)}"] if warns else []
    return ", ".join([*told, f"{fine} {'is' if fine == 1 else 'are'} fine"])
