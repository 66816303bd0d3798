"""The history's rows as Arrow tables with the ingestion tables' columns, in batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from neonblue.simulation.history.people import (
    Bools,
    Enrolment,
    Ints,
    anonymous_id,
    attributes,
    enrol,
    erasures,
    microseconds,
    open_accounts,
    user_id,
)
from neonblue.simulation.history.plan import CONTROL, TREATMENT, HistoryPlan, generator

BATCH = 250_000
_MINUTE, _HOUR, _DAY = 60_000_000, 3_600_000_000, 86_400_000_000
_TYPES = ("page_view", "click", "add_to_cart", "purchase", "error", "search")
# Twice the purchases that control makes: a unit keeps half of them, and more where a treatment lifts them.
_SHARES = (0.52, 0.2, 0.08, 0.08, 0.02, 0.1)
_PURCHASE = _TYPES.index("purchase")
_MOST = 2.0
_APP_VERSIONS = pa.array(["", "5.1.0", "5.2.0"])
_PROPERTIES = tuple(
    f'{{"device": "{device}", "page": "{page}"}}'
    for device in ("mobile", "desktop")
    for page in ("/", "/pricing", "/cart", "/help")
)


class History:
    """All rows of one plan. Batches can be drawn again and are the same each time."""

    def __init__(self, plan: HistoryPlan) -> None:
        self.plan = plan
        self.enrolments = [enrol(design) for design in plan.designs()]
        self._home = np.zeros(plan.units, dtype=np.int64)
        self._exposed_at = np.zeros((plan.experiments, plan.units), dtype=np.int64)
        self._lifted = np.zeros((plan.experiments, plan.units), dtype=bool)
        for place, enrolment in enumerate(self.enrolments):
            self._home[enrolment.user] = enrolment.design.experiment_id
            self._exposed_at[place, enrolment.user] = enrolment.exposed_at
            self._lifted[place, enrolment.user] = enrolment.treated & (enrolment.exposed_at > 0)
        self._accounts = open_accounts(plan, self.enrolments)
        self._users = pa.array([user_id(plan, number) for number in range(plan.units)], pa.string())
        self._anonymous = pa.array([anonymous_id(plan, number) for number in range(plan.units)], pa.string())

    def assignments(self) -> Iterator[pa.Table]:
        """Per experiment: its units' assignments, the second ones of those in two arms behind them.

        At the end those of the accounts: their own, or taken over from the anonymous id when the two were linked.
        """
        attribute_texts = pa.array([attributes(number) for number in range(self.plan.units)], pa.string())
        for enrolment in self.enrolments:
            twice = np.flatnonzero(enrolment.in_two_arms)
            user = np.concatenate([enrolment.user, enrolment.user[twice]])
            treated = np.concatenate([enrolment.treated, ~enrolment.treated[twice]])
            at = np.concatenate([enrolment.assigned_at, enrolment.assigned_at[twice] + 1_000_000])
            first = self._assigned(
                enrolment.design.experiment_id,
                self._sent_as(user, at < self._accounts.opened_at[user]),
                treated,
                np.concatenate([enrolment.version, enrolment.version[twice]]),
                at,
            )
            yield first.append_column("attributes", attribute_texts.take(pa.array(user)))
            yield self._accounts_assignments(enrolment)

    def _accounts_assignments(self, enrolment: Enrolment) -> pa.Table:
        """Of those who were linked. What was taken over has the time, arm and version of the original."""
        _, end = microseconds(self.plan)
        opened_at = self._accounts.opened_at[enrolment.user]
        linked = (enrolment.assigned_at < opened_at) & (opened_at < end)
        user, at, opened_at = enrolment.user[linked], enrolment.assigned_at[linked], opened_at[linked]
        treated, version = enrolment.treated[linked], enrolment.version[linked]
        other_arm, came_before = self._accounts.other_arm[user], self._accounts.came_before[user]
        own_at = at + np.where(other_arm, _MINUTE, np.where(came_before, -_HOUR, 0))
        accounts = self._assigned(
            enrolment.design.experiment_id,
            self._sent_as(user, np.zeros(len(user), bool)),
            treated ^ other_arm,
            np.where(came_before, 1, version),
            own_at,
            received_at=np.where(other_arm | came_before, own_at, opened_at),
        )
        return accounts.append_column("attributes", _constant("", len(user), pa.string()))

    def _assigned(
        self,
        experiment: int,
        sent_as: pa.Array,
        treated: Bools,
        version: Ints,
        at: Ints,
        received_at: Ints | None = None,
    ) -> pa.Table:
        return pa.table(
            {
                "experiment_id": _constant(experiment, len(at), pa.uint32()),
                "unit_type": _constant("user", len(at), pa.string()),
                "user_id": sent_as,
                "variant_key": _variant(treated),
                "version": pa.array(version, pa.uint32()),
                "assigned_at": _time(at),
                "received_at": _time((at if received_at is None else received_at) + 50_000),
            }
        )

    def _sent_as(self, user: Ints, anonymous: Bools) -> pa.Array:
        number = pa.array(user)
        return pc.if_else(pa.array(anonymous), self._anonymous.take(number), self._users.take(number))

    def links(self) -> pa.Table:
        """The anonymous ids that were linked within the history."""
        _, end = microseconds(self.plan)
        opened_at = self._accounts.opened_at
        user = np.flatnonzero((opened_at > 0) & (opened_at < end))
        return pa.table(
            {
                "unit_type": _constant("user", len(user), pa.string()),
                "anonymous_id": self._anonymous.take(pa.array(user)),
                "user_id": self._users.take(pa.array(user)),
                "linked_at": _time(opened_at[user]),
                "received_at": _time(opened_at[user]),
            }
        )

    def erasures(self) -> list[tuple[str, int]]:
        """The erased ids, and when each was, in microseconds since 1970.

        A person's anonymous id is erased with it. Of every third that has one, the anonymous id alone is.
        """
        erased = []
        for number, at in zip(*(column.tolist() for column in erasures(self.plan)), strict=True):
            is_linked = 0 < self._accounts.opened_at[number] <= at
            if not is_linked or number % 3:
                erased.append((user_id(self.plan, number), at))
            if is_linked:
                erased.append((anonymous_id(self.plan, number), at))
        return erased

    def events(self) -> Iterator[pa.Table]:
        """All events, exposures first, and after each batch the rows of it that travel twice."""
        for place, enrolment in enumerate(self.enrolments):
            yield from self._with_copies(self._exposures(enrolment), 3, place)
        for place, begin in enumerate(range(0, self.plan.events, BATCH)):
            batch = self._outcomes(place, min(BATCH, self.plan.events - begin))
            yield from self._with_copies(batch, 4, place)

    def _with_copies(self, batch: pa.Table, *part: int) -> Iterator[pa.Table]:
        yield batch
        copies = np.flatnonzero(generator(self.plan, 9, *part).random(len(batch)) < self.plan.duplicates)
        if len(copies):
            yield batch.take(pa.array(copies))

    def _exposures(self, enrolment: Enrolment) -> pa.Table:
        draws = generator(self.plan, 3, enrolment.design.experiment_id)
        _, end = microseconds(self.plan)
        met = np.flatnonzero(enrolment.exposed_at > 0)
        again = met[(draws.random(len(met)) < 0.1) & (enrolment.exposed_at[met] + _DAY < end)]
        strangers = draws.integers(0, self.plan.units, max(1, len(met) // 500))
        user = np.concatenate([enrolment.user[met], enrolment.user[again], strangers])
        at = np.concatenate(
            [
                enrolment.exposed_at[met],
                enrolment.exposed_at[again] + _DAY,
                np.full(len(strangers), end - _HOUR),
            ]
        )
        treated = np.concatenate(
            [enrolment.treated[met], enrolment.treated[again], np.zeros(len(strangers), bool)]
        )
        return self._table(
            draws,
            user,
            at,
            event_type=_constant("exposure", len(user), pa.string()),
            experiment=np.full(len(user), enrolment.design.experiment_id),
            variant=_variant(treated),
            value=np.zeros(len(user), np.int64),
        )

    def _outcomes(self, place: int, size: int) -> pa.Table:
        draws = generator(self.plan, 4, place)
        start, end = microseconds(self.plan)
        # Some users do much more than others.
        user = (draws.random(size) ** 1.3 * self.plan.units).astype(np.int64)
        at = start + (draws.random(size) * (end - start)).astype(np.int64)
        at = np.where(draws.random(size) < 0.05, at // _HOUR * _HOUR, at)
        at = np.maximum(at, start)
        kind = np.searchsorted(np.cumsum(_SHARES), draws.random(size), side="right").clip(max=len(_TYPES) - 1)
        dropped = (kind == _PURCHASE) & (draws.random(size) > self._keep(user, at) / _MOST)
        kind = np.where(dropped, 0, kind)
        cents = np.round(np.exp(draws.normal(3.4, 0.8, size)) * 100).astype(np.int64) * 10_000
        # A price converted from another currency has more places.
        value = np.where(draws.random(size) < 0.1, cents + draws.integers(0, 10_000, size), cents)
        return self._table(
            draws,
            user,
            at,
            event_type=pa.array(_TYPES).take(pa.array(kind)),
            experiment=np.where(draws.random(size) < self.plan.named, self._home[user], 0),
            variant=_constant("", size, pa.string()),
            value=np.where(kind == _PURCHASE, value, 0),
        )

    def _keep(self, user: Ints, at: Ints) -> NDArray[np.float64]:
        """How many times as much as control each user buys at this time."""
        factor = np.ones(len(user))
        for place, enrolment in enumerate(self.enrolments):
            lifted = self._lifted[place, user] & (at >= self._exposed_at[place, user])
            factor = np.where(lifted, factor * (1 + enrolment.design.lift), factor)
        return factor

    def _table(
        self,
        draws: np.random.Generator,
        user: Ints,
        at: Ints,
        *,
        event_type: pa.Array,
        experiment: Ints,
        variant: pa.Array,
        value: Ints,
    ) -> pa.Table:
        size = len(user)
        _, end = microseconds(self.plan)
        delay = draws.integers(1_000, 400_000, size)
        late = draws.random(size) < self.plan.late
        delay = np.where(late, (draws.random(size) * self.plan.late_days * _DAY).astype(np.int64), delay)
        session = pc.binary_join_element_wise(
            self._users.take(pa.array(user)), pa.array(at // _DAY).cast(pa.string()), "-"
        )
        identifiers = _ids(draws, size)
        # Before they have an account, people are sometimes seen with it all the same: on another device.
        anonymous = (at < self._accounts.opened_at[user]) & (draws.random(size) < 0.8)
        return pa.table(
            {
                "event_id": identifiers,
                "experiment_id": pa.array(experiment, pa.uint32()),
                "user_id": self._sent_as(user, anonymous),
                "unit_type": _constant("user", size, pa.string()),
                "event_type": event_type,
                "variant_key": variant,
                "session_id": session,
                "app_version": _APP_VERSIONS.take(pa.array((at // _DAY + user) % len(_APP_VERSIONS))),
                "timestamp": _time(at),
                "value": _decimals(value),
                "properties": pa.array(_PROPERTIES).take(pa.array(draws.integers(0, len(_PROPERTIES), size))),
                # What is late by more than the history is long is received at its end.
                # Some have a clock that is corrected, some one that is too far away for that.
                "clock_offset": pa.array(np.where(user % 50 == 7, -3_000_000, 0), pa.int64()),
                "sent_at": pc.if_else(
                    pa.array(user % 50 == 11), _time(at + 3 * _DAY), pa.scalar(None, _time(at).type)
                ),
                "received_delay": pa.array(np.minimum(delay, np.maximum(end - at, 1_000)), pa.int64()),
            }
        )


def _constant(value: object, size: int, kind: pa.DataType) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), size)


def _variant(treated: Bools) -> pa.Array:
    return pa.array([CONTROL, TREATMENT]).take(pa.array(treated.astype(np.int64)))


def _time(microsecond: Ints) -> pa.Array:
    return pa.array(microsecond, pa.timestamp("us", "UTC"))


def _decimals(millionths: Ints) -> pa.Array:
    """Decimals with six places, from whole millionths (all at least 0)."""
    words = np.zeros((len(millionths), 2), dtype=np.int64)
    words[:, 0] = millionths
    return pa.Array.from_buffers(pa.decimal128(18, 6), len(millionths), [None, pa.py_buffer(words.tobytes())])


def _ids(draws: np.random.Generator, size: int) -> pa.Array:
    """Random UUIDs (version 4) as texts."""
    words = np.frombuffer(draws.bytes(16 * size), dtype=np.uint8).reshape(size, 16).copy()
    words[:, 6] = words[:, 6] & 0x0F | 0x40
    words[:, 8] = words[:, 8] & 0x3F | 0x80
    digits = pa.array(np.frombuffer(words.tobytes().hex().encode(), dtype="S32")).cast(pa.string())
    cuts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    return pc.binary_join_element_wise(*(pc.utf8_slice_codeunits(digits, *cut) for cut in cuts), "-")
