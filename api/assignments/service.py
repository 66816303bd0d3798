"""From a body of requests to each unit's variant: process cache, Valkey, PostgreSQL, in that order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from api.assignments.cache import AssignmentCache, SharedCache, Stored, UnitKey
from api.assignments.writer import AssignmentJob, Outcome, Wanted
from api.experiments.registry import LiveExperiment, Registry
from api.ingest.failures import Refused, Unavailable
from api.ingest.group_commit import GroupCommit
from api.metrics import ASSIGNMENTS
from api.users.identity import Identify
from neonblue.bucketing import assign
from neonblue.contract.answers import AssignmentAnswer, Status
from neonblue.contract.assignments import assignment_decoder
from neonblue.contract.codes import Code
from neonblue.contract.decoding import ItemDecoder
from neonblue.contract.instants import EPOCH, format_instant
from neonblue.contract.requests import AssignmentRequest
from neonblue.contract.violation import ContractError, Violation

NOT_IN_ALLOCATION = "not_in_allocation"

_REFUSED = Violation(Code.REFUSED_BY_STORE, "the store refused this request's data")
_CACHED = ASSIGNMENTS.labels("process")
_SHARED = ASSIGNMENTS.labels("valkey")
_WRITTEN = ASSIGNMENTS.labels("postgres")
_CONFIRMABLE = (Code.UNKNOWN_EXPERIMENT, Code.NOT_RUNNING, Code.UNKNOWN_VARIANT)


@dataclass(frozen=True, slots=True)
class Planned:
    """What the rules say of one item. `variant_key`: None for a unit outside the allocation."""

    request: AssignmentRequest
    experiment: LiveExperiment
    unit: UnitKey
    variant_key: str | None
    instant: str


@dataclass(slots=True)
class AssignmentService:
    """Answers from memory where it can; a first assignment is durable before it is answered."""

    queue: GroupCommit[AssignmentJob, list[Outcome]]
    registry: Registry
    cache: AssignmentCache
    shared: SharedCache
    max_ahead: timedelta
    identify: Identify
    _decoder: ItemDecoder[AssignmentRequest] = field(default_factory=assignment_decoder, init=False)

    async def assign(self, body: bytes) -> tuple[list[AssignmentAnswer], bool]:
        """The answers in order, and whether the body was a single request.

        Raises ContractError for a body that can't be read, Unavailable, psycopg.Error.
        """
        decoded = self._decoder.decode(body)
        now = datetime.now(UTC)
        planned = [self._plan(item, now) for item in decoded.items]
        if any(isinstance(item, Violation) and item.code in _CONFIRMABLE for item in planned):
            await self.registry.confirm()
            planned = [self._plan(item, now) for item in decoded.items]
        answers = await self._answer(planned, now, len(body))
        for n, (request, item) in enumerate(zip(decoded.items, planned, strict=True)):
            if isinstance(item, Violation):
                answers[n] = _rejected(request, item)
        if not decoded.single:
            for n, answer in enumerate(answers):
                answer.index = n
                answer.status = answer.status or (Status.ACCEPTED if answer.created else Status.DUPLICATE)
        return answers, decoded.single

    def _plan(self, request: AssignmentRequest | Violation, now: datetime) -> Planned | Violation:
        if isinstance(request, Violation):
            return request
        try:
            experiment = self.registry.find(request.experiment)
            return _plan(request, experiment, now, self.max_ahead, self.identify)
        except ContractError as error:
            return error.violation

    async def _answer(
        self, planned: Sequence[Planned | Violation], now: datetime, size: int
    ) -> list[AssignmentAnswer]:
        items = [item for item in planned if isinstance(item, Planned)]
        found = await self._find({item.unit: item.experiment.salt for item in items if item.variant_key})
        lacking = [item for item in items if item.variant_key and _lacks(item, found.get(item.unit))]
        outcomes: dict[int, Outcome | Violation] = {}
        if lacking:
            outcomes = dict(zip(map(id, lacking), await self._write(lacking, now, size), strict=True))
        answers: list[AssignmentAnswer] = []
        for item in planned:
            if isinstance(item, Planned):
                known = found.get(item.unit)
                outcome = outcomes.get(id(item)) or Outcome(known, created=False)
                answers.append(_say(item, outcome))
            else:
                answers.append(_EMPTY)
        return answers

    async def _find(self, salts: dict[UnitKey, str]) -> dict[UnitKey, Stored]:
        """What the caches know of these units."""
        found = {unit: stored for unit in salts if (stored := self.cache.get(unit)) is not None}
        _CACHED.inc(len(found))
        unknown = [unit for unit in salts if unit not in found]
        if unknown:
            shared = await self.shared.read({unit[0]: salts[unit] for unit in unknown}, unknown)
            self.cache.put_all(shared)
            _SHARED.inc(len(shared))
            found |= shared
        return found

    async def _write(self, lacking: Sequence[Planned], now: datetime, size: int) -> list[Outcome | Violation]:
        """Store what is new; an item whose configuration changed meanwhile is planned again, once."""
        results = await self._submit(lacking, now, size)
        stale = [
            n for n, result in enumerate(results) if isinstance(result, Outcome) and result.stored is None
        ]
        if stale:
            await self.registry.check()
            for n in stale:
                results[n] = await self._write_again(lacking[n], now)
        return results

    async def _write_again(self, item: Planned, now: datetime) -> Outcome | Violation:
        planned = self._plan(item.request, now)
        if isinstance(planned, Violation):
            return planned
        if planned.variant_key is None:
            return Outcome(None, created=False)
        result = (await self._submit([planned], now, 0))[0]
        if isinstance(result, Outcome) and result.stored is None:
            raise Unavailable("the experiment is being changed")
        return result

    async def _submit(self, items: Sequence[Planned], now: datetime, size: int) -> list[Outcome | Violation]:
        wanted = [
            Wanted(
                item.unit,
                item.variant_key or "",
                item.experiment.version,
                item.instant,
                item.request.expose,
                item.request.attributes,
            )
            for item in items
        ]
        try:
            outcomes = await self.queue.submit(AssignmentJob(wanted, format_instant(now), size))
        except Refused:
            return [_REFUSED] * len(items)
        _WRITTEN.inc(len(outcomes))
        self._share(items, outcomes)
        return list(outcomes)

    def _share(self, items: Sequence[Planned], outcomes: Sequence[Outcome]) -> None:
        """Tell Valkey without being waited for."""
        salts = {item.unit[0]: item.experiment.salt for item in items}
        stored = {
            item.unit: outcome.stored
            for item, outcome in zip(items, outcomes, strict=True)
            if outcome.stored is not None
        }
        self.shared.write(salts, stored)


_EMPTY = AssignmentAnswer(
    experiment="",
    user_id="",
    experiment_id=None,
    variant_key=None,
    version=None,
    assigned_at=None,
    created=False,
)


def _plan(
    request: AssignmentRequest,
    experiment: LiveExperiment | None,
    now: datetime,
    max_ahead: timedelta,
    identify: Identify,
) -> Planned:
    if experiment is None:
        raise ContractError(Code.UNKNOWN_EXPERIMENT, "there is no such experiment", "experiment")
    if request.unit_type is not None and request.unit_type != experiment.unit_type:
        raise ContractError(
            Code.UNIT_TYPE_MISMATCH, f"the experiment's unit_type is {experiment.unit_type}", "unit_type"
        )
    if not experiment.running:
        raise ContractError(Code.NOT_RUNNING, f"the experiment is {experiment.status}", "experiment")
    unit = (experiment.experiment_id, experiment.unit_type, identify(request.user_id))
    if experiment.external:
        return Planned(request, experiment, unit, *_given(request, experiment, now, max_ahead))
    for name in ("variant_key", "timestamp"):
        if getattr(request, name) is not None:
            raise ContractError(Code.EXTERNAL_ONLY, "belongs to external experiments alone", name)
    return Planned(
        request, experiment, unit, assign(experiment.configuration, request.user_id), format_instant(now)
    )


def _given(
    request: AssignmentRequest, experiment: LiveExperiment, now: datetime, max_ahead: timedelta
) -> tuple[str, str]:
    """Variant and time of an assignment that was made elsewhere."""
    if request.variant_key is None:
        raise ContractError(Code.VARIANT_REQUIRED, "an external experiment's variant is given", "variant_key")
    if request.variant_key not in experiment.variant_keys:
        raise ContractError(Code.UNKNOWN_VARIANT, "the experiment has no such variant", "variant_key")
    instant = request.timestamp or now
    if instant < EPOCH:
        raise ContractError(Code.TOO_OLD, "must not be before 1970", "timestamp")
    if instant > now + max_ahead:
        raise ContractError(Code.IN_FUTURE, "must not be in the future", "timestamp")
    return request.variant_key, format_instant(instant)


def _lacks(item: Planned, known: Stored | None) -> bool:
    """Whether PostgreSQL has something to store for this item."""
    return known is None or (item.request.expose and not known.exposed) or item.request.attributes is not None


def _say(item: Planned, outcome: Outcome | Violation) -> AssignmentAnswer:
    if isinstance(outcome, Violation):
        return _rejected(item.request, outcome)
    stored = outcome.stored
    answer = AssignmentAnswer(
        experiment=item.experiment.key,
        user_id=item.request.user_id,
        experiment_id=item.experiment.experiment_id,
        variant_key=None if stored is None else stored.variant_key,
        version=item.experiment.version if stored is None else stored.version,
        assigned_at=None if stored is None else stored.assigned_at,
        created=outcome.created,
        reason=NOT_IN_ALLOCATION if stored is None else None,
    )
    if item.experiment.external and stored is not None and stored.variant_key != item.request.variant_key:
        answer.status = Status.REJECTED
        answer.code = Code.ASSIGNMENT_CONFLICT
        answer.field = "variant_key"
        answer.message = f"the stored variant is {stored.variant_key}"
    return answer


def _rejected(request: AssignmentRequest | Violation, violation: Violation) -> AssignmentAnswer:
    experiment, user_id = (
        ("", "") if isinstance(request, Violation) else (request.experiment, request.user_id)
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
