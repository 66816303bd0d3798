"""Plays the lives: what owners, units and other people do in each of three phases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import httpx

from tests.end_to_end.lives.design import LIVES, Json, Life
from tests.end_to_end.lives.drawing import ANONYMOUS, Drawing, Visit
from tests.end_to_end.lives.platform import Platform

REUSED = 6
AGAIN = 300
ERASED = 14
BACK = 5


class Play:
    """Forty lives at once. now: the moment from which all times are drawn."""

    def __init__(self, api: httpx.Client, seed: int) -> None:
        self.platform = Platform(api)
        self.drawing = Drawing(seed, datetime.now(UTC))
        self._sent: list[Json] = []
        self._entered: dict[str, list[Visit]] = {life.key: [] for life in LIVES}

    def begin(self) -> None:
        """The first units of all of them, and what everybody did in the weeks before."""
        people = [*self.drawing.people, *(anonymous for anonymous, _ in self.drawing.pairs)]
        elsewhere = [*self.drawing.elsewhere(people, 4.0), *self.drawing.elsewhere(self.drawing.devices, 3.0)]
        self._send([*self._act_and_enter(0), *elsewhere])

    def go_on(self) -> None:
        """Late events and exposures, events that come again, ids that are used twice, people who turn out to be one."""
        for anonymous, person in self.drawing.pairs[: ANONYMOUS // 2]:
            self.platform.link(anonymous, person)
        events = self._act_and_enter(1)
        for life in LIVES:
            if self.platform.told[life.key].status != "draft":
                events += self.drawing.earlier(life, self._entered[life.key])
        late = [*self.drawing.elsewhere(self.drawing.some(self.drawing.people, 250), 1.5)]
        reused = [event | {"event_type": "other"} for event in self.drawing.some(self._sent, REUSED)]
        self._send([*events, *late], self.drawing.some(self._sent, AGAIN))
        before = len(self.platform.refused)
        self.platform.send(reused)
        assert [said.partition(":")[0] for said in self.platform.refused[before:]] == ["id_reused"] * REUSED

    def end(self) -> None:
        """More links, erasures of linked and other people, some of whom come back; conclusions."""
        platform, drawing = self.platform, self.drawing
        for anonymous, person in drawing.pairs[ANONYMOUS // 2 : -5]:
            platform.link(anonymous, person)
        known = {row["user_id"] for row in platform.assignments}
        linked = [person for anonymous, person in drawing.pairs if {anonymous, person} <= known]
        alone = [
            anonymous
            for anonymous, person in drawing.pairs
            if anonymous in known and person not in linked[:4]
        ]
        others = drawing.some([user for user in sorted(known) if user.startswith("person-")], ERASED)
        devices = [user for user in sorted(known) if user.startswith("device-")][:3]
        gone = list(dict.fromkeys([*linked[:4], *alone[:2], *others, *devices]))
        for user in gone:
            platform.erase(user, "device" if user in devices else "user")
        platform.until_erased()
        events = self._act_and_enter(2)
        for life in LIVES[:3]:
            events += self._enter(life, [Visit(user, drawing.now, False, None) for user in others[:BACK]])
        erased = {row["user_id"] for row in platform.erasures}
        again = [
            event
            for event in drawing.some(self._sent, AGAIN)
            if event["user_id"] not in erased or event["event_type"] != "exposure"
        ]
        self._send(events, again)

    def _act_and_enter(self, phase: int) -> list[Json]:
        """The owners' steps, in the first phase from the creation on, then the units that come; what these do."""
        events = []
        for life in LIVES:
            if not phase:
                self.platform.create(life)
            for step in life.acts[phase]:
                self.platform.act(life.key, step)
            visits = self.drawing.visits(life, phase)
            if self.platform.told[life.key].status not in ("draft", "scheduled"):
                events += self._enter(life, visits)
        return events

    def _enter(self, life: Life, visits: Sequence[Visit]) -> list[Json]:
        platform, drawing = self.platform, self.drawing
        given = platform.assign(life, [self._wanted(life, visit) for visit in visits])
        # Under an anonymous id that is known to be a person's, nothing more is said.
        own = [visit for visit in visits if platform.person(visit.user) == visit.user]
        self._entered[life.key] += [visit for visit in own if visit.user in given]
        events = [*drawing.exposures(life, own, given), *drawing.outcomes(life, own, given)]
        if platform.told[life.key].status != "running":
            events += drawing.strangers(life, own)
        return events

    def _wanted(self, life: Life, visit: Visit) -> Json:
        wanted: Json = {"user_id": visit.user, "expose": visit.at_once}
        if visit.attributes is not None:
            wanted["attributes"] = visit.attributes
        if life.external:
            at = visit.exposed_at or self.drawing.now
            wanted |= {"variant_key": self.drawing.arm(life), "timestamp": at.isoformat()}
            wanted["expose"] = visit.exposed_at is not None
        return wanted

    def _send(self, events: Sequence[Json], again: Sequence[Json] = ()) -> None:
        self.platform.send(self.drawing.shuffled([*events, *again]))
        self._sent += events
