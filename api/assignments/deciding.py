"""Decides targets: what is stored wins, wherever it is found; else the configuration decides, and that is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import psycopg
import structlog

from api.assignments.answering import Decision
from api.assignments.cache import AssignmentCache, SharedCache, Stored, UnitKey
from api.assignments.lookup import Lookup
from api.assignments.planning import Fixed, Target, plan_one
from api.assignments.writer import AssignmentJob, Outcome, Wanted
from api.disk import DiskWatch
from api.experiments.registry import Registry
from api.fairness import Turns
from api.metrics import ASSIGNMENTS, TARGETING_ERRORS
from api.postgres.failures import Refused, Unavailable
from api.postgres.group_commit import GroupCommit
from api.recent import RecentMap
from neonblue.bucketing import Reason, Unit, evaluate, forced_variant
from neonblue.contract.codes import Code
from neonblue.contract.messages import encode_message
from neonblue.contract.violation import ContractError, Violation

log = structlog.get_logger("api.assignments")

_REFUSED = Violation(Code.REFUSED_BY_STORE, "the store refused this request's data")
_ABSENT_SECONDS = 10.0
_RECENT_ENTRIES = 100_000

Verdict = Decision | Violation
Chosen = tuple[int, Target, str]
"""Position, target, and the variant to store unless the unit has one."""


@dataclass(frozen=True, slots=True)
class Unkept:
    """A target that no cache knows and of which nothing is to be kept. variant: None where the unit is left out."""

    position: int
    target: Target
    variant: str | None
    reason: Reason

    def decision(self, *, durable: bool = True) -> Decision:
        """What the configuration gives. Of a unit that is left out nothing is to be stored: that is done."""
        if self.variant is None:
            return Decision.left_out(self.target.experiment, self.reason, certain=durable)
        return Decision(self.variant, durable=durable)


class Absence(NamedTuple):
    """A unit that this version leaves out has nothing stored. until: when to look again, by the loop's clock."""

    version: int
    until: float


@dataclass(slots=True)
class Decider:
    """Finds or makes the assignments that targets ask for."""

    queue: GroupCommit[AssignmentJob, list[Outcome]]
    registry: Registry
    cache: AssignmentCache
    shared: SharedCache
    lookup: Lookup
    max_ahead: timedelta
    disk: DiskWatch
    _absent: RecentMap[UnitKey, Absence] = field(
        default_factory=lambda: RecentMap(_RECENT_ENTRIES), init=False
    )
    _told: RecentMap[tuple[str, str], int] = field(
        default_factory=lambda: RecentMap(_RECENT_ENTRIES), init=False
    )

    async def decide(self, targets: Sequence[Target], now: datetime, size: int) -> list[Verdict]:
        """One verdict for each target. Raises Unavailable, psycopg.Error.

        A target whose configuration changed meanwhile, or whose id turns out to be linked with a person's, is
        decided once more.
        """
        verdicts = await self._decide(targets, size)
        again = [n for n, verdict in enumerate(verdicts) if verdict is None]
        if again:
            followed = await self._follow([targets[n] for n in again], now)
            open_ = [target for target in followed if isinstance(target, Target)]
            second = iter(await self._decide(open_, 0))
            for n, target in zip(again, followed, strict=True):
                verdicts[n] = next(second) if isinstance(target, Target) else target
        found: list[Verdict] = []
        for verdict in verdicts:
            if verdict is None:
                raise Unavailable("the experiment is being changed")
            found.append(verdict)
        return found

    def is_absent(self, unit: UnitKey, version: int) -> bool:
        """Whether nothing is stored of a unit that this version leaves out, nor of a person it is linked with.

        PostgreSQL said so lately, and the version is still the one that it was left out under.
        """
        absence = self._absent.get(unit)
        return (
            absence is not None
            and absence.version == version
            and absence.until > asyncio.get_running_loop().time()
        )

    def forget(self, units: Iterable[UnitKey], user: tuple[str, str]) -> None:
        """Remember nothing of this person, whose units these are."""
        self._told.discard(user)
        for unit in units:
            self._absent.discard(unit)

    async def _decide(self, targets: Sequence[Target], size: int) -> list[Verdict | None]:
        verdicts: list[Verdict | None] = [None] * len(targets)
        rest: list[int] = []
        for n, target in enumerate(targets):
            variant = forced_variant(target.experiment.configuration, target.request.user_id)
            if variant is None or target.given is not None:
                rest.append(n)
            else:
                verdicts[n] = Decision(variant, reason=Reason.FORCED)
                ASSIGNMENTS.add("forced")
        found = await self._find([targets[n] for n in rest])
        lacking: list[Chosen] = []
        unkept: list[Unkept] = []
        turns = Turns()
        for n in rest:
            if turns.is_over():
                await turns.next()
            target = targets[n]
            stored = found.get(target.unit)
            if stored is None:
                variant, reason = _choose(target)
                if variant is None or not target.keep:
                    unkept.append(Unkept(n, target, variant, reason))
                else:
                    lacking.append((n, target, variant))
            elif self._lacks(target, stored):
                lacking.append((n, target, stored.variant_key))
            else:
                verdicts[n] = Decision.of(stored)
        if unkept:
            lacking += await self._look(unkept, verdicts)
        if lacking:
            await self._write(lacking, found, verdicts, size)
        return verdicts

    async def _find(self, targets: Sequence[Target]) -> dict[UnitKey, Stored]:
        """What the caches know of these units."""
        found: dict[UnitKey, Stored] = {}
        salts: dict[UnitKey, str] = {}
        for target in targets:
            stored = self.cache.get(target.unit)
            if stored is None:
                salts[target.unit] = target.experiment.salt
            else:
                found[target.unit] = stored
        ASSIGNMENTS.add("process", count=len(found))
        if salts:
            shared = await self.shared.read({unit[0]: salt for unit, salt in salts.items()}, list(salts))
            self.cache.put_all(shared)
            ASSIGNMENTS.add("valkey", count=len(shared))
            found |= shared
        return found

    async def _look(self, unkept: Sequence[Unkept], verdicts: list[Verdict | None]) -> list[Chosen]:
        """The unit may have been assigned before, or be the anonymous id of someone who was.

        Fills in the verdicts; returns those whose stored assignment lacks its exposure. That a unit which is left out
        has none is remembered for some seconds. What a unit is told before it is assigned must be what it will get,
        so there is a look for it each time.
        """
        clock = asyncio.get_running_loop().time
        unknown: list[Unkept] = []
        for item in unkept:
            if item.variant is None and self.is_absent(item.target.unit, item.target.experiment.version):
                verdicts[item.position] = item.decision()
            else:
                unknown.append(item)
        if not unknown:
            return []
        try:
            stored, links = await self.lookup.read([item.target.unit for item in unknown])
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.warning("assignments_unknown", error=type(error).__name__)
            for item in unknown:
                verdicts[item.position] = item.decision(durable=False)
            return []
        self.cache.put_all(stored)
        lacking: list[Chosen] = []
        for item in unknown:
            target, known = item.target, stored.get(item.target.unit)
            if known is not None and self._lacks(target, known):
                lacking.append((item.position, target, known.variant_key))
            elif known is not None:
                verdicts[item.position] = Decision.of(known)
            elif target.user not in links:
                if item.variant is None:
                    absence = Absence(target.experiment.version, clock() + _ABSENT_SECONDS)
                    self._absent.put(target.unit, absence)
                verdicts[item.position] = item.decision()
        return lacking

    async def _write(
        self,
        lacking: Sequence[Chosen],
        found: dict[UnitKey, Stored],
        verdicts: list[Verdict | None],
        size: int,
    ) -> None:
        """Store what is new. An outcome without an assignment leaves its verdict open."""
        wanted = [
            Wanted(
                target.unit,
                target.given or variant,
                target.experiment.version,
                target.instant,
                target.expose,
                target.request.attributes,
            )
            for _, target, variant in lacking
        ]
        try:
            self.disk.admit()
            outcomes = await self.queue.submit(AssignmentJob(wanted, size))
        except Refused:
            for n, _, _ in lacking:
                verdicts[n] = _REFUSED
            return
        except Unavailable:
            if any(target.experiment.external for _, target, _ in lacking):
                raise
            ASSIGNMENTS.add("not_durable", count=len(lacking))
            for n, target, variant in lacking:
                verdicts[n] = _undurable(found.get(target.unit), variant)
            return
        ASSIGNMENTS.add("postgres", count=len(outcomes))
        self._remember(lacking, outcomes)
        for (n, _, _), outcome in zip(lacking, outcomes, strict=True):
            if outcome.stored is not None:
                verdicts[n] = Decision.of(outcome.stored, created=outcome.created)

    def _remember(self, lacking: Sequence[Chosen], outcomes: Sequence[Outcome]) -> None:
        """For the next request, also by the anonymous id; Valkey is told without being waited for."""
        stored: dict[UnitKey, Stored] = {}
        salts: dict[int, str] = {}
        for (_, target, _), outcome in zip(lacking, outcomes, strict=True):
            if outcome.stored is None:
                continue
            stored[target.unit] = stored[target.own_unit] = outcome.stored
            salts[target.unit[0]] = target.experiment.salt
            if target.request.attributes is not None:
                self._told.put(target.user, hash(encode_message(target.request.attributes)))
        self.cache.put_all(stored)
        self.shared.write(salts, stored)

    async def _follow(self, targets: Sequence[Target], now: datetime) -> list[Target | Verdict]:
        """The targets under the newest configuration and the ids that theirs are linked with."""
        await self.registry.check()
        links = await self.lookup.links({target.user for target in targets})
        followed: list[Target | Verdict] = []
        for target in targets:
            live = self.registry.find(target.experiment.experiment_id)
            try:
                fresh = plan_one(target.request, live, now, self.max_ahead)
            except ContractError as error:
                followed.append(error.violation)
                continue
            if isinstance(fresh, Fixed):  # paused or concluded meanwhile
                followed.append(Decision.fixed(fresh))
                continue
            fresh = replace(fresh, keep=target.keep)
            person = links.get(target.user)
            followed.append(fresh if person is None else fresh.linked(person))
        return followed

    def _lacks(self, target: Target, stored: Stored) -> bool:
        """Whether PostgreSQL has something to store for a unit that is assigned."""
        if not target.keep:
            return False
        if target.expose and not stored.exposed:
            return True
        attributes = target.request.attributes
        return attributes is not None and self._told.get(target.user) != hash(encode_message(attributes))


def _choose(target: Target) -> tuple[str | None, Reason]:
    """The variant of a unit without a stored assignment."""
    if target.given is not None:
        return target.given, Reason.ASSIGNED
    unit = Unit(target.unit[2], target.request.attributes or {})
    evaluation = evaluate(target.experiment.configuration, unit)
    if evaluation.error is not None:
        TARGETING_ERRORS.labels(target.experiment.key).inc()
    return evaluation.variant_key, evaluation.reason


def _undurable(stored: Stored | None, variant: str) -> Decision:
    """Nothing can be stored now: what a cache holds, else what the configuration gives, in every process alike."""
    return Decision(variant, durable=False) if stored is None else Decision.of(stored, durable=False)
