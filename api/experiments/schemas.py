"""What people write on an experiment."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from api.experiments import examples
from api.experiments.ramp_fields import RampIn, WrittenRamp
from api.experiments.release_fields import ReleaseIn
from api.fields import (
    BasisPoints,
    Flag,
    Instant,
    Key,
    Name,
    Payload,
    PlainKey,
    Reason,
    Salt,
    Strict,
    Tags,
    Text,
    describe_patch,
    storable,
    unique,
)
from api.metric_catalogue.schemas import MetricUse
from neonblue.bucketing import FULL_ALLOCATION, compile_expression
from neonblue.bucketing.targeting import EXPRESSION_LENGTH
from neonblue.contract.codes import Code
from neonblue.contract.violation import ContractError

Outcome = Literal["ship", "roll_back", "inconclusive"]

_INTERNAL = ("layer", "holdouts", "targeting", "ramp")


def _compiling(text: str) -> str:
    """What can't be compiled is no expression; what compiles and is refused, `fitness` says."""
    try:
        compile_expression(text)
    except ValueError as error:
        raise ContractError(Code.INVALID_EXPRESSION, str(error)) from None
    return text


Targeting = Annotated[
    str,
    StringConstraints(min_length=1, max_length=EXPRESSION_LENGTH),
    AfterValidator(storable),
    AfterValidator(_compiling),
]


class VariantIn(Strict):
    """An arm. Weights are relative to each other. One that is not `active` was dropped: its range enrols nobody."""

    key: PlainKey
    name: Text | None = None
    weight: int = Field(default=1, ge=1, le=1_000_000, strict=True)
    is_control: Flag = False
    active: Flag = True
    payload: Payload = None


class LayerIn(Strict):
    """A share of a layer, in basis points, which the service finds room for."""

    key: Key
    share: int = Field(ge=1, le=FULL_ALLOCATION, strict=True)


class ExperimentFields(Strict):
    """What a draft may say beside its key, its source and its arms."""

    name: Text | None = None
    hypothesis: Text | None = None
    owner: Name | None = None
    tags: Tags = Field(default_factory=list)
    unit_type: PlainKey = "user"
    population: Literal["exposed", "assigned"] = "exposed"
    allocation: BasisPoints = Field(
        default=FULL_ALLOCATION,
        description="The share of traffic that enters, in basis points: 10000 are 100 %, 1000 are 10 %, 0 is nobody; "
        'or as a text, "10 %". While it runs it may only grow',
    )
    ramp: WrittenRamp = Field(
        default=None,
        description="Steps by which the allocation grows by itself, or `standard` or `careful`; null: a person grows "
        "it. A draft that has one starts with its first step. While it runs, steps that were taken can't change",
    )
    layer: LayerIn | None = None
    holdouts: Annotated[list[Key], Field(max_length=100)] | None = Field(
        default=None, description="Keys of the holdouts that it respects; null: all there are"
    )
    targeting: Targeting | None = Field(
        default=None,
        description="A CEL expression over the unit's `attributes`, true for those that may enter, such as "
        "`attributes.country == 'DE' && semver(attributes.version) >= '1.10.0'`; null: all may",
    )
    enrolment: Literal["open", "closed"] = Field(
        default="open",
        description="closed: no new unit enters; those that are in keep their variant and are measured",
    )
    outside: Literal["control", "null"] = Field(
        default="control",
        description="What a unit gets that targeting, layer, allocation or a holdout leaves out: the control's "
        "payload, or no variant",
    )
    metrics: list[MetricUse] = Field(default_factory=list, max_length=100)
    planned_days: int | None = Field(default=None, ge=1, le=3_650, strict=True)
    planned_units: int | None = Field(
        default=None,
        ge=1,
        le=2**53,
        strict=True,
        description="How many units are to enter, over all arms: looks before that share the error; null: not planned",
    )
    scheduled_start_at: Instant | None = None
    scheduled_stop_at: Instant | None = None


class ExperimentIn(ExperimentFields):
    """An experiment to create, as a draft."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.NEW]})

    key: Key
    source: Literal["internal", "external"] = "internal"
    salt: Salt | None = Field(
        default=None,
        description="Decides who gets what: experiments with equal salts divide their units alike. Made where absent",
    )
    variants: list[VariantIn] = Field(min_length=2, max_length=100)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        unique([variant.key for variant in self.variants], "variants")
        unique([metric.key for metric in self.metrics], "metrics")
        unique(self.tags, "tags")
        unique(self.holdouts or [], "holdouts")
        _check_arms(self.variants)
        _check_release(self.ramp, self.variants)
        if (
            self.scheduled_start_at
            and self.scheduled_stop_at
            and (self.scheduled_stop_at <= self.scheduled_start_at)
        ):
            raise ContractError(Code.DATES_ORDER, "must be after scheduled_start_at", "scheduled_stop_at")
        if self.source == "external":
            for name in _INTERNAL:
                if getattr(self, name) is not None:
                    raise ContractError(
                        Code.INTERNAL_ONLY, "an external experiment's variants are given, not assigned", name
                    )
            if self.enrolment == "closed":
                raise ContractError(
                    Code.INTERNAL_ONLY, "an external experiment takes in what it is sent", "enrolment"
                )
        return self


class DecisionIn(Strict):
    """What was decided: `ship` a variant, `roll_back` to the control, or `inconclusive`."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DECISION]})

    outcome: Outcome
    variant_key: PlainKey | None = Field(default=None, description="Which variant is shipped")
    reason: Reason

    @model_validator(mode="before")
    @classmethod
    def _says_why(cls, given: Any) -> Any:
        if isinstance(given, dict) and not _filled(given.get("reason")):
            raise ContractError(
                Code.MISSING_FIELD,
                "say why: the reason stands beside the decision in the report and the history",
                "reason",
            )
        return given

    @model_validator(mode="after")
    def _names_what_ships(self) -> Self:
        if (self.outcome == "ship") != (self.variant_key is not None):
            raise ContractError(
                Code.INVALID, "names the variant where the outcome is ship, and only there", "variant_key"
            )
        return self


class ConclusionIn(DecisionIn):
    """What was decided, and what is released. Without a release: all of what ships, else the control for all."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [examples.DECISION, examples.DECISION | {"release": examples.RELEASE}]}
    )

    release: ReleaseIn | None = None


class ExperimentPatch(ExperimentFields):
    """What to change: what is left out stays.

    A draft may change everything. While it runs or is paused: name, hypothesis, owner, tags, plan, stop, enrolment,
    outside and the steps of a ramp that are to come may change, the allocation may grow, and arms may be dropped
    (`active` false; of each arm only what is given is compared). Once concluded: name, hypothesis, owner, tags and
    decision.
    """

    model_config = ConfigDict(
        json_schema_extra=describe_patch({"allocation": 5000, "reason": "Ramp to half"})
    )

    salt: Salt = ""
    variants: list[VariantIn] = Field(default_factory=list, min_length=1, max_length=100)
    decision: DecisionIn | None = None
    reason: Reason | None = Field(default=None, description="Why; kept with the version")

    @model_validator(mode="after")
    def _no_arm_twice(self) -> Self:
        unique([variant.key for variant in self.variants], "variants")
        return self


class StepIn(Strict):
    """Why the step is taken; kept with the version."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The checkout fails in arm b"}]})

    reason: Reason | None = None


class ForcedStepIn(StepIn):
    """Why the step is taken, and whether in spite of what speaks against it."""

    force: Flag = False

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.force and not _filled(self.reason):
            raise ContractError(
                Code.MISSING_FIELD, "say why it is forced: it stands in the history", "reason"
            )
        return self


class StartIn(ForcedStepIn):
    """Why it is started, and whether in spite of what its checklist finds to be blocking."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"force": True, "reason": "Such units come with the next release"}]}
    )

    force: Flag = Field(
        default=False, description="Start although the checklist has items that are blocking; needs a reason"
    )


class ArchiveIn(ForcedStepIn):
    """Why the experiment is put away; `force` where its key is asked for still."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "Only a crawler asks for it still", "force": True}]}
    )

    force: Flag = Field(
        default=False,
        description="Archive although the key was asked for in the last seven days; then say why in `reason`",
    )


class ForcedVariantIn(Strict):
    """The variant that a tester sees."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user_id": "tester-1", "variant_key": "short-form"}]}
    )

    user_id: PlainKey
    unit_type: PlainKey | None = Field(default=None, description="The experiment's, where absent")
    variant_key: PlainKey


def _filled(reason: Any) -> bool:
    """A reason of another type is refused for that."""
    return bool(reason.strip()) if isinstance(reason, str) else reason is not None


def _check_arms(variants: list[VariantIn]) -> None:
    controls = [variant for variant in variants if variant.is_control]
    if len(controls) != 1:
        raise ContractError(
            Code.CONTROL_COUNT, f"exactly one variant is the control, not {len(controls)}", "variants"
        )
    if not controls[0].active:
        raise ContractError(Code.CONTROL_DROPPED, "the control can't be dropped", "variants")
    if not any(variant.active and not variant.is_control for variant in variants):
        raise ContractError(Code.LAST_TREATMENT, "the last treatment can't be dropped", "variants")


def _check_release(ramp: RampIn | None, variants: list[VariantIn]) -> None:
    if ramp is None or ramp.release_at_end is None:
        return
    treatments = {arm.key for arm in variants if arm.active and not arm.is_control}
    if ramp.release_at_end.variant_key not in treatments:
        message = f"must be a treatment that was not dropped: {', '.join(sorted(treatments))}"
        raise ContractError(Code.UNKNOWN_VARIANT, message, "ramp.release_at_end.variant_key")
