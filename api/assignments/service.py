"""From a body of requests to each unit's variant: process cache, Valkey, PostgreSQL, in that order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from api.assignments.answering import Decision, answer, answer_stored, answer_unstored, rejection
from api.assignments.cache import AssignmentCache, SharedCache, UnitKey
from api.assignments.deciding import Decider
from api.assignments.planning import Fixed, Target, plan
from api.demand.counts import Counts
from api.experiments.registry import LiveExperiment, Registry
from api.fairness import LARGE_BODY, Turns, off_the_loop
from api.identity.identify import Identify
from api.metrics import SHOWN
from neonblue.bucketing import Unit, serve
from neonblue.contract.answers import AssignmentAnswer, Status
from neonblue.contract.assignments import assignment_decoder
from neonblue.contract.codes import Code
from neonblue.contract.decoding import ItemDecoder
from neonblue.contract.limits import REQUEST_EVALUATIONS
from neonblue.contract.requests import AssignmentRequest
from neonblue.contract.violation import ContractError, Violation

_CONFIRMABLE = (Code.UNKNOWN_EXPERIMENT, Code.NOT_RUNNING, Code.UNKNOWN_VARIANT)

Request = AssignmentRequest | Violation
Plan = Sequence[Target | Fixed] | Violation


@dataclass(slots=True)
class AssignmentService:
    """Answers from memory where it can; a first assignment is durable before it is answered."""

    decider: Decider
    registry: Registry
    cache: AssignmentCache
    max_ahead: timedelta
    identify: Identify
    counts: Counts
    _decoder: ItemDecoder[AssignmentRequest] = field(default_factory=assignment_decoder, init=False)

    async def assign(self, body: bytes) -> tuple[list[AssignmentAnswer], bool]:
        """The answers in order, and whether the body asked for one unit and one experiment.

        Raises ContractError for a body that can't be read, Unavailable, psycopg.Error.
        """
        decode = self._decoder.decode
        decoded = decode(body) if len(body) < LARGE_BODY else await off_the_loop(decode, body)
        requests = decoded.items
        single = decoded.single and (isinstance(requests[0], Violation) or requests[0].experiment is not None)
        answers = await self.answer(requests, len(body))
        for found in answers:
            if single:
                found.index = None
            else:
                found.status = found.status or (Status.ACCEPTED if found.created else Status.DUPLICATE)
        return answers, single

    async def answer(
        self, requests: Sequence[Request], size: int = 0, *, unused: bool = False, trial: bool = False
    ) -> list[AssignmentAnswer]:
        """Answers with the index of their request.

        size: bytes that the requests took. unused, trial: as `plan` takes them.
        """
        now = datetime.now(UTC)
        given, requests = requests, [self._stored(request) for request in requests]
        plans = await self._plans(requests, now, unused, trial)
        if any(isinstance(found, Violation) and found.code in _CONFIRMABLE for found in plans):
            await self.registry.confirm()
            plans = await self._plans(requests, now, unused, trial)
        elif not unused and (late := _may_be_late(plans)):
            await self.registry.confirm_of(late)
            plans = await self._plans(requests, now, unused, trial)
        targets = [
            target
            for found in plans
            if not isinstance(found, Violation)
            for target in found
            if isinstance(target, Target)
        ]
        decisions = iter(await self.decider.decide(targets, now, size))
        answers: list[AssignmentAnswer] = []
        turns = Turns()
        for index, (asked, request, found) in enumerate(zip(given, requests, plans, strict=True)):
            if turns.is_over():
                await turns.next()
            for item in _answers(request, found, decisions):
                item.index = index
                if not isinstance(asked, Violation):
                    item.user_id = asked.user_id
                    self._compare(asked.shown_variant, item)
                    if not trial and _asks_for_key(asked):
                        self.counts.answered(item)
                answers.append(item)
        return answers

    def on_trial(self) -> AssignmentService:
        """The same, that finds nothing in a cache and leaves nothing there: for what is asked for and never shown."""
        cache = AssignmentCache(REQUEST_EVALUATIONS)
        decider = changed(self.decider, cache=cache, shared=SharedCache.closed())
        return changed(self, decider=decider, cache=cache)

    def _stored(self, request: Request) -> Request:
        """The request under the id that is stored; everything behind it, the variant too, goes by that."""
        if isinstance(request, Violation):
            return request
        stored_id = self.identify(request.user_id)
        return request if stored_id == request.user_id else replace(request, user_id=stored_id)

    def at_hand(self, body: bytes) -> AssignmentAnswer | None:
        """The answer on one unit and experiment where it is certain from memory and leaves nothing to store."""
        request = self._decoder.decode_plain(body)
        if request is None or request.experiment is None:
            return None
        live = self.registry.find(request.experiment)
        if live is None or live.external:
            return None
        if (
            request.variant_key is not None
            or request.timestamp is not None
            or request.shown_variant is not None
        ):
            return None
        if request.unit_type is not None and request.unit_type != live.unit_type:
            return None
        if live.serving is not None:
            return self._served_at_hand(Fixed(request, live, live.serving))
        if request.attributes is not None or live.configuration.forced:
            return None
        unit = (live.experiment_id, live.unit_type, self.identify(request.user_id))
        stored = self.cache.get(unit)
        if stored is None:
            return self._left_out_at_hand(live, unit, request.user_id)
        if not (stored.exposed or request.expose is False):
            return None
        return answer_stored(live, request.user_id, stored)

    def _served_at_hand(self, found: Fixed) -> AssignmentAnswer | None:
        """While it does not run, unless PostgreSQL is to be asked first whether it does by now."""
        live, request = found.experiment, found.request
        if found.unsettled and not self.registry.is_confirmed(live.experiment_id):
            return None
        unit = Unit(self.identify(request.user_id), request.attributes or {})
        evaluation = serve(live.configuration, found.serving, unit)
        return None if evaluation.error is not None else answer_unstored(live, request.user_id, evaluation)

    def _left_out_at_hand(self, live: LiveExperiment, unit: UnitKey, user_id: str) -> AssignmentAnswer | None:
        """A unit that is left out whatever is known of it, and of which nothing is stored."""
        configuration = live.configuration
        if configuration.targeting is not None or not self.decider.is_absent(unit, live.version):
            return None
        evaluation = serve(configuration, None, Unit(unit[2]))
        return None if evaluation.in_experiment else answer_unstored(live, user_id, evaluation)

    def _compare(self, shown: str | None, found: AssignmentAnswer) -> None:
        """Count whether the unit was shown the variant that it has."""
        if shown is None:
            return
        if found.status is Status.REJECTED:
            if found.code == Code.NOT_RUNNING:
                SHOWN.add(found.experiment, "not_running")
            return
        if found.in_experiment:
            SHOWN.add(found.experiment, "same" if found.variant_key == shown else "other")
        else:
            live = self.registry.find(found.experiment)
            SHOWN.add(found.experiment, "none" if live is not None and live.running else "not_running")

    async def _plans(
        self, requests: Sequence[Request], now: datetime, unused: bool, trial: bool
    ) -> list[Plan]:
        """Raises ContractError where they are too many together."""
        plans: list[Plan] = []
        turns, targets = Turns(), 0
        for request in requests:
            if turns.is_over():
                await turns.next()
            plans.append(self._plan(request, now, unused, trial))
            targets += 0 if isinstance(plans[-1], Violation) else len(plans[-1])
            if targets > REQUEST_EVALUATIONS:
                raise ContractError(
                    Code.TOO_MANY_ITEMS, f"a request asks for at most {REQUEST_EVALUATIONS} assignments"
                )
        return plans

    def _plan(self, request: Request, now: datetime, unused: bool, trial: bool) -> Plan:
        if isinstance(request, Violation):
            return request
        try:
            return plan(request, self.registry, now, self.max_ahead, unused=unused, trial=trial)
        except ContractError as error:
            return error.violation


def _may_be_late(plans: Sequence[Plan]) -> set[int]:
    """The experiments of which PostgreSQL may say by now that they run."""
    return {
        target.experiment.experiment_id
        for found in plans
        if not isinstance(found, Violation)
        for target in found
        if isinstance(target, Fixed) and target.unsettled
    }


def _asks_for_key(request: AssignmentRequest) -> bool:
    """A look at all experiments is no use of each; who gives a variant tells, and asks nothing."""
    return request.experiment is not None and request.variant_key is None


def _answers(
    request: Request, found: Plan, decisions: Iterator[Decision | Violation]
) -> list[AssignmentAnswer]:
    """Takes one decision for each target."""
    if isinstance(found, Violation):
        return [rejection(request, found)]
    return [
        answer(target, Decision.fixed(target) if isinstance(target, Fixed) else next(decisions))
        for target in found
    ]
