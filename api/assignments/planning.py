"""From a request to the pairs of a unit and an experiment that it asks for: the rules, without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from api.assignments.cache import UnitKey
from api.experiments.registry import LiveExperiment, Registry
from neonblue.bucketing import Serving
from neonblue.contract.codes import Code
from neonblue.contract.instants import EPOCH, format_instant
from neonblue.contract.requests import DEFAULT_UNIT_TYPE, AssignmentRequest
from neonblue.contract.violation import ContractError


@dataclass(frozen=True, slots=True)
class Target:
    """One unit to assign to one experiment.

    unit: under which it is stored: the request's own, or the person's that its anonymous id is linked with.
    given: the variant of an external experiment. instant: of the assignment and of the exposure. keep: whether
    what is decided is stored; else what is stored counts, and nothing is added to it.
    """

    request: AssignmentRequest
    experiment: LiveExperiment
    unit: UnitKey
    expose: bool
    instant: str
    given: str | None = None
    keep: bool = True

    @property
    def user(self) -> tuple[str, str]:
        """Unit type and id."""
        return self.unit[1:]

    @property
    def own_unit(self) -> UnitKey:
        """The unit by the id that the request names."""
        return (self.unit[0], self.unit[1], self.request.user_id)

    def linked(self, user_id: str) -> Target:
        """The same under the id of the person."""
        return replace(self, unit=(self.unit[0], self.unit[1], user_id))


@dataclass(frozen=True, slots=True)
class Fixed:
    """One unit and an experiment that does not run: what its key gives, nothing to look up and nothing to store."""

    request: AssignmentRequest
    experiment: LiveExperiment
    serving: Serving

    @property
    def unsettled(self) -> bool:
        """Whether another process may have it run meanwhile, and this one has not heard of it."""
        return not self.experiment.started or self.experiment.status == "paused"


def plan(
    request: AssignmentRequest,
    registry: Registry,
    now: datetime,
    max_ahead: timedelta,
    *,
    unused: bool = False,
    trial: bool = False,
) -> Sequence[Target | Fixed]:
    """The request's targets: one, or one for each running experiment. Raises ContractError.

    unused: the variants are asked for before any of them is shown, so that only an experiment whose population is the
    assigned keeps what is decided; what keys give whose experiments ran is asked for, too. trial: nothing is kept.
    """
    if request.experiment is not None:
        return (plan_one(request, registry.find(request.experiment), now, max_ahead),)
    _refuse_given(request)
    if request.shown_variant is not None:
        raise ContractError(Code.EXPERIMENT_REQUIRED, "is required with shown_variant", "experiment")
    instant = format_instant(now)
    unit_type = request.unit_type or DEFAULT_UNIT_TYPE
    targets: list[Target | Fixed] = [
        Target(
            request,
            live,
            (live.experiment_id, live.unit_type, request.user_id),
            request.expose is True,
            instant,
            keep=not (trial or (unused and live.counts_exposed_alone)),
        )
        for live in registry.running(unit_type)
    ]
    if unused:
        targets += [Fixed(request, live, live.serving) for live in registry.served(unit_type) if live.serving]
    return targets


def plan_one(
    request: AssignmentRequest, live: LiveExperiment | None, now: datetime, max_ahead: timedelta
) -> Target | Fixed:
    """The target in this experiment. Raises ContractError."""
    if live is None:
        raise ContractError(Code.UNKNOWN_EXPERIMENT, "there is no such experiment", "experiment")
    if request.unit_type is not None and request.unit_type != live.unit_type:
        raise ContractError(
            Code.UNIT_TYPE_MISMATCH, f"the experiment's unit_type is {live.unit_type}", "unit_type"
        )
    if live.serving is not None:
        _refuse_given(request)
        return Fixed(request, live, live.serving)
    if not live.running:
        raise ContractError(Code.NOT_RUNNING, f"the experiment is {live.status}", "experiment")
    unit = (live.experiment_id, live.unit_type, request.user_id)
    expose = request.expose is True or (request.expose is None and request.experiment is not None)
    if live.external:
        variant, instant = _given(request, live, now, max_ahead)
        return Target(request, live, unit, expose, instant, variant)
    _refuse_given(request)
    return Target(request, live, unit, expose, format_instant(now))


def _refuse_given(request: AssignmentRequest) -> None:
    for name in ("variant_key", "timestamp"):
        if getattr(request, name) is not None:
            raise ContractError(Code.EXTERNAL_ONLY, "belongs to external experiments alone", name)


def _given(
    request: AssignmentRequest, live: LiveExperiment, now: datetime, max_ahead: timedelta
) -> tuple[str, str]:
    """Variant and time of an assignment that was made elsewhere."""
    if request.variant_key is None:
        raise ContractError(Code.VARIANT_REQUIRED, "an external experiment's variant is given", "variant_key")
    if request.variant_key not in live.variant_keys:
        raise ContractError(Code.UNKNOWN_VARIANT, "the experiment has no such variant", "variant_key")
    instant = request.timestamp or now
    if instant < EPOCH:
        raise ContractError(Code.TOO_OLD, "must not be before 1970", "timestamp")
    if instant > now + max_ahead:
        raise ContractError(Code.IN_FUTURE, "must not be in the future", "timestamp")
    return request.variant_key, format_instant(instant)
