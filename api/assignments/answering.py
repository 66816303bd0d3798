"""What is decided for a unit, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass, replace

from api.assignments.cache import Stored
from api.assignments.planning import Fixed, Target
from api.experiments.registry import LiveExperiment
from api.metrics import ASSIGNMENTS, TARGETING_ERRORS
from neonblue.bucketing import Evaluation, Reason, ServedBy, Unit, beside, serve
from neonblue.contract.answers import AssignmentAnswer, Status
from neonblue.contract.codes import Code
from neonblue.contract.requests import AssignmentRequest
from neonblue.contract.violation import Violation


@dataclass(frozen=True, slots=True)
class Decision:
    """A unit's variant, or None.

    version: of the configuration that gave it; None where that is the present one. assigned_at: None where it is
    not stored. durable: whether all that was to be stored is.
    """

    variant_key: str | None
    version: int | None = None
    assigned_at: str | None = None
    created: bool = False
    reason: Reason | None = None
    durable: bool = True
    served_by: ServedBy = ServedBy.EXPERIMENT

    @property
    def in_experiment(self) -> bool:
        """Whether the variant is the experiment's own."""
        return self.variant_key is not None and self.served_by is ServedBy.EXPERIMENT

    @classmethod
    def fixed(cls, found: Fixed) -> Decision:
        """What the key gives while its experiment does not run."""
        live, request = found.experiment, found.request
        evaluation = serve(live.configuration, found.serving, Unit(request.user_id, request.attributes or {}))
        if evaluation.error is not None:
            TARGETING_ERRORS.labels(live.key).inc()
        ASSIGNMENTS.add("served")
        return cls.unstored(evaluation)

    @classmethod
    def left_out(cls, live: LiveExperiment, reason: Reason, *, certain: bool = True) -> Decision:
        """What a unit gets that the running experiment leaves out. Nothing is to be stored of it.

        certain: whether it was looked whether it is stored. While no new unit enters, that alone decides: an answer
        without a look is not `durable`, so that nobody goes by it for long.
        """
        ASSIGNMENTS.add("served")
        decision = cls.unstored(beside(live.configuration, Evaluation(None, reason)))
        durable = certain or reason is not Reason.ENROLMENT_CLOSED
        return decision if durable else replace(decision, durable=False)

    @classmethod
    def unstored(cls, evaluation: Evaluation) -> Decision:
        """Of the present configuration, with nothing stored."""
        return cls(evaluation.variant_key, reason=evaluation.reason, served_by=evaluation.served_by)

    @classmethod
    def of(cls, stored: Stored, *, created: bool = False, durable: bool = True) -> Decision:
        return cls(stored.variant_key, stored.version, stored.assigned_at, created, None, durable)


def answer(target: Target | Fixed, decision: Decision | Violation) -> AssignmentAnswer:
    """The answer on one target."""
    if isinstance(decision, Violation):
        return rejection(target.request, decision)
    live = target.experiment
    found = _answered(live, target.request.user_id, decision)
    if live.external and decision.variant_key != target.request.variant_key:
        found.status = Status.REJECTED
        found.code = Code.ASSIGNMENT_CONFLICT
        found.field = "variant_key"
        found.message = f"the stored variant is {decision.variant_key}"
    return found


def answer_stored(live: LiveExperiment, user_id: str, stored: Stored) -> AssignmentAnswer:
    """The answer on a unit whose assignment is at hand."""
    return AssignmentAnswer(
        experiment=live.key,
        user_id=user_id,
        experiment_id=live.experiment_id,
        variant_key=stored.variant_key,
        version=stored.version,
        assigned_at=stored.assigned_at,
        created=False,
        payload=_payload(live, stored.variant_key),
    )


def answer_unstored(live: LiveExperiment, user_id: str, evaluation: Evaluation) -> AssignmentAnswer:
    """The answer on a unit that the experiment itself gives nothing, from memory."""
    return _answered(live, user_id, Decision.unstored(evaluation))


def rejection(request: AssignmentRequest | Violation, violation: Violation) -> AssignmentAnswer:
    """The answer on a request that broke a rule."""
    experiment, user_id = (
        ("", "") if isinstance(request, Violation) else (request.experiment or "", request.user_id)
    )
    return AssignmentAnswer(
        experiment=experiment,
        user_id=user_id,
        experiment_id=None,
        variant_key=None,
        version=None,
        assigned_at=None,
        created=False,
        status=Status.REJECTED,
        code=violation.code,
        field=violation.field,
        message=violation.message,
    )


def _answered(live: LiveExperiment, user_id: str, decision: Decision) -> AssignmentAnswer:
    return AssignmentAnswer(
        experiment=live.key,
        user_id=user_id,
        experiment_id=live.experiment_id,
        variant_key=decision.variant_key,
        version=decision.version or live.version,
        assigned_at=decision.assigned_at,
        created=decision.created,
        reason=decision.reason,
        payload=_payload(live, decision.variant_key),
        served_by=None if decision.served_by is ServedBy.EXPERIMENT else decision.served_by,
        durable=decision.durable,
        in_experiment=decision.in_experiment,
    )


def _payload(live: LiveExperiment, variant_key: str | None) -> object:
    variant = None if variant_key is None else live.variants.get(variant_key)
    return None if variant is None else variant.payload
