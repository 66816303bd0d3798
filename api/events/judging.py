"""Whether an exposure gives a unit without an assignment its variant: what the configuration of then says. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from api.experiments.history import History, Past
from api.experiments.registry import LiveExperiment
from neonblue.bucketing import Configuration, Unit, evaluate, forced_variant
from neonblue.contract.events import Event


class Outcome(StrEnum):
    """What became of an exposure without an assignment. All but the first leave the unit without one.

    NOT_RUNNING: at the event's time, or under the version that is carried. ENROLMENT_CLOSED: the same of enrolment.
    UNKNOWN_VERSION: there is none of that number. OUTSIDE: a holdout, the layer, the allocation or a dropped arm leaves
    the unit out. OTHER_VARIANT: the event names one that the configuration does not give. NEEDS_ATTRIBUTES: targeting
    reads what no event holds. UNKNOWN_HOLDOUT: one that was respected then is deleted, so that nobody knows who was in
    it. LINKED: an anonymous id, whose person is assigned in its place. EXTERNAL: assignments are imported.
    """

    STORED = "stored"
    NOT_RUNNING = "not_running"
    ENROLMENT_CLOSED = "enrolment_closed"
    UNKNOWN_VERSION = "unknown_version"
    OUTSIDE = "outside"
    OTHER_VARIANT = "other_variant"
    OTHER_UNIT_TYPE = "other_unit_type"
    NEEDS_ATTRIBUTES = "needs_attributes"
    UNKNOWN_HOLDOUT = "unknown_holdout"
    LINKED = "linked"
    TESTER = "tester"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of an exposure. STORED: with this variant, under this version."""

    outcome: Outcome
    variant_key: str = ""
    version: int = 0


@dataclass(slots=True)
class Judge:
    """Judges the exposures to one experiment that came together. received_at: when, as the wire has it."""

    live: LiveExperiment
    history: History
    received_at: str
    _configurations: dict[int, Configuration] = field(default_factory=dict)

    def carried(self, event: Event) -> Verdict:
        """Of an exposure that carries an assignment.

        Nobody met what a version gives before there was that version: where the event's time is earlier, its clock is
        behind. Whom targeting means only the client could tell, which knew the attributes: its word is taken.
        """
        past = self.history.under(event.carried_version or 0)
        if past is None:
            return Verdict(Outcome.UNKNOWN_VERSION)
        then = self.history.at(max(self._instant(event), past.since)) or past
        return (
            self._closed(past)
            or self._closed(then)
            or self._evaluate(event, past, event.carried_version or 0)
        )

    def plain(self, event: Event) -> Verdict:
        """Of an exposure that carries none: by the version of its time."""
        if self.live.external:
            return Verdict(Outcome.EXTERNAL)
        past = self.history.at(self._instant(event))
        if past is None:
            return Verdict(Outcome.NOT_RUNNING)
        found = self._closed(past) or self._evaluate(event, past, past.version)
        if found.outcome is Outcome.STORED and self.live.configuration.targeting is not None:
            return Verdict(Outcome.NEEDS_ATTRIBUTES)
        return found

    def counts(self, event: Event) -> bool:
        """Whether the exposure of a unit that has an assignment is one: while its experiment ran."""
        return self.live.external or not self.history.stopped_at(self._instant(event))

    def _instant(self, event: Event) -> str:
        """When the unit met the variant: not later than we heard of it."""
        return min(event.timestamp, self.received_at)

    def _closed(self, past: Past) -> Verdict | None:
        """Of what is remembered of an experiment from before its start nothing is fixed yet."""
        if not (past.running and self.live.started):
            return Verdict(Outcome.NOT_RUNNING)
        return None if past.is_open else Verdict(Outcome.ENROLMENT_CLOSED)

    def _evaluate(self, event: Event, past: Past, version: int) -> Verdict:
        """By all rules but targeting."""
        if event.unit_type != self.live.unit_type:
            return Verdict(Outcome.OTHER_UNIT_TYPE)
        configuration = self._configuration(past)
        if forced_variant(configuration, event.user_id) is not None:
            return Verdict(Outcome.TESTER)
        if self.history.lost_holdouts(past) or len(past.holdouts) > len(self.live.entry.holdouts):
            return Verdict(Outcome.UNKNOWN_HOLDOUT)
        variant = evaluate(configuration, Unit(event.user_id)).variant_key
        if variant is None:
            return Verdict(Outcome.OUTSIDE)
        if event.variant_key not in (None, variant):
            return Verdict(Outcome.OTHER_VARIANT)
        return Verdict(Outcome.STORED, variant, version)

    def _configuration(self, past: Past) -> Configuration:
        """As of then. Salt, weights and layer are those of every version that ran; holdouts and testers as they are
        now: a holdout may only grow while it is respected. Whether enrolment was open is judged before."""
        found = self._configurations.get(past.version)
        if found is None:
            found = replace(
                self.live.configuration,
                allocation=past.allocation,
                dropped=past.dropped,
                targeting=None,
                closed=None,
            )
            self._configurations[past.version] = found
        return found
