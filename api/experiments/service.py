"""Experiments: making, changing, reading and deleting them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from api.audit import Actor, Change, record
from api.experiments import changes, fitness, holdouts, ramp_rules, ramp_state, repository, versions
from api.experiments.answers import ExperimentOut, ExperimentPage, VersionOut, VersionPage
from api.experiments.registry import Registry
from api.experiments.release_fields import ReleasePut
from api.experiments.repository import KeyTaken, Row
from api.experiments.schemas import ExperimentIn, ExperimentPatch
from api.experiments.versions import Occasion
from api.http.etags import require_match, version_tag
from api.http.pages import cut, write_cursor
from api.http.problems import Problem, found
from api.http.refusals import misread, refuse
from api.layers.service import reserve
from api.metric_catalogue.service import UsedMetric, resolve
from api.postgres.database import Connection, Pool
from neonblue.contract.codes import Code
from neonblue.contract.instants import format_instant
from neonblue.contract.life_cycle import STARTED, Status
from neonblue.contract.messages import MetricMessage, encode_message
from neonblue.contract.violation import Violation

_BEYOND_ALL = 2**31 - 1
_OWN_FIELDS = (
    "name", "hypothesis", "owner", "tags", "unit_type", "population", "allocation", "holdouts", "targeting",
    "enrolment", "outside", "planned_days", "planned_units", "scheduled_start_at", "scheduled_stop_at",
)  # fmt: skip


_CHOICES = 200
"""At most so many owners, and tags, are offered to choose from."""


@dataclass(frozen=True, slots=True)
class Census:
    """Experiments by status, and the owners and tags that there are."""

    counts: Mapping[Status, int]
    owners: list[str]
    tags: list[str]


@dataclass(frozen=True, slots=True)
class ExperimentService:
    pool: Pool
    registry: Registry

    async def create(self, new: ExperimentIn, actor: Actor) -> ExperimentOut:
        """Store a draft. Raises Problem `experiment_exists`, `layer_full`, or for what it refers to."""
        _check_fitness(None, new)
        async with self.pool.transaction() as connection:
            after = await _insert(connection, new, actor)
        await versions.refresh(self.registry, after["id"])
        return ExperimentOut.model_validate(after)

    async def would_create(self, new: ExperimentIn, actor: Actor) -> ExperimentOut:
        """The draft as it would be, of which nothing is stored: its id is 0. Raises what `create` raises."""
        _check_fitness(None, new)
        async with self.pool.connection() as connection, connection.transaction(force_rollback=True):
            after = await _insert(connection, new, actor)
        return ExperimentOut.model_validate(after | {"id": 0})

    async def get(self, key: str) -> ExperimentOut:
        """Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            return ExperimentOut.model_validate(
                found(await repository.read_one(connection, key), "experiment")
            )

    async def page(self, before: int | None, filters: Mapping[str, Any], limit: int) -> ExperimentPage:
        """A page of experiments, newest first. `filters`: status, tag, owner, layer, text, stale."""
        async with self.pool.connection() as connection:
            rows = await repository.read_page(
                connection, {**filters, "before": before or _BEYOND_ALL, "limit": limit + 1}
            )
        shown, cursor = cut(rows, limit, key=lambda row: int(row["id"]))
        items = [ExperimentOut.model_validate(row) for row in shown]
        return ExperimentPage(items=items, next_cursor=cursor)

    async def census(self, filters: Mapping[str, Any]) -> Census:
        """How many there are by status, and what they can be chosen by. `filters`: tag, owner, layer, text."""
        async with self.pool.connection() as connection:
            counts = await repository.count(connection, dict(filters))
            owners = await repository.read_owners(connection, _CHOICES)
            tags = await repository.read_tags(connection, _CHOICES)
        return Census({Status(status): number for status, number in counts.items()}, owners, tags)

    async def versions(self, key: str, before: int | None, limit: int) -> VersionPage:
        """A page of versions, newest first. Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            found(await repository.read_one(connection, key), "experiment")
            rows = await versions.read_versions(connection, key, before or _BEYOND_ALL, limit + 1)
        items = [VersionOut.model_validate(row) for row in rows[:limit]]
        more = len(rows) > limit
        return VersionPage(items=items, next_cursor=write_cursor(items[-1].version) if more else None)

    async def patch(
        self, key: str, patch: ExperimentPatch, if_match: str | None, actor: Actor
    ) -> ExperimentOut:
        """Change what the state allows.

        Raises Problem `frozen` naming each field that may not change, `layer_full`, or of `require_match`;
        RequestValidationError for what the patch makes of the whole.
        """
        async with self.pool.transaction() as connection:
            before = await locked(connection, key, if_match, required=True)
            if not await _apply(connection, before, patch, actor):
                return ExperimentOut.model_validate(before)
            occasion = Occasion("change", actor, patch.reason)
            after = await versions.keep_version(connection, before, key, occasion)
        await versions.refresh(self.registry, after["id"])
        return ExperimentOut.model_validate(after)

    async def would_patch(
        self, key: str, patch: ExperimentPatch, if_match: str | None, actor: Actor
    ) -> tuple[ExperimentOut, ExperimentOut]:
        """The experiment as it is and as it would be, of which nothing is stored. Raises what `patch` raises."""
        async with self.pool.connection() as connection, connection.transaction(force_rollback=True):
            before = await locked(connection, key, if_match, required=True)
            await _apply(connection, before, patch, actor)
            after = found(await repository.read_one(connection, key), "experiment")
        return ExperimentOut.model_validate(before), ExperimentOut.model_validate(after)

    async def release(
        self, key: str, release: ReleasePut, if_match: str | None, actor: Actor
    ) -> ExperimentOut:
        """Release something else, or to another share; what is the same already leaves no version.

        Raises Problem `not_concluded`, or of `require_match`; RequestValidationError for the variant.
        """
        async with self.pool.transaction() as connection:
            before = await locked(connection, key, if_match, required=True)
            if before["status"] != Status.CONCLUDED:
                raise Problem(
                    409,
                    "not_concluded",
                    f"Only what is concluded is released; this one is {before['status']}",
                )
            current = ExperimentOut.model_validate(before)
            unfit = changes.release_refusals(current, release, "")
            if unfit:
                raise refuse(422, unfit)
            wanted = release.stored(await ramp_state.clock(connection))
            if _is_same(before["release"], wanted):
                return current
            await repository.set_release(connection, before["id"], wanted)
            occasion = Occasion("release", actor, release.reason)
            after = await versions.keep_version(connection, before, key, occasion)
        await versions.refresh(self.registry, after["id"])
        return ExperimentOut.model_validate(after)

    async def delete(self, key: str, if_match: str | None, actor: Actor) -> None:
        """Delete a draft; the stream hears of it as archived. Raises Problem `not_a_draft`, `not_found`."""
        async with self.pool.transaction() as connection:
            before = await locked(connection, key, if_match)
            if before["status"] != Status.DRAFT:
                raise Problem(
                    409, "not_a_draft", f"Only drafts can be deleted; this one is {before['status']}"
                )
            gone = before | {"status": Status.ARCHIVED, "version": before["version"] + 1}
            snapshot = encode_message(versions.snapshot_of(gone, datetime.now(UTC)))
            await repository.delete(connection, before["id"], snapshot)
            await versions.announce(connection, before["id"], snapshot)
            await record(connection, actor, Change("delete", "experiment", key, before, None))
        await versions.refresh(self.registry, before["id"])


async def _insert(connection: Connection, new: ExperimentIn, actor: Actor) -> Row:
    """The draft, in the caller's transaction."""
    given = new.allocation if "allocation" in new.model_fields_set else None
    new = _at_its_first_step(Status.DRAFT, new, given)
    salt = new.salt or secrets.token_hex(16)
    await holdouts.share_lock(connection)
    await _check_holdouts(connection, new)
    metrics = await resolve(connection, new.metrics)
    try:
        number = await repository.insert(connection, new.key, new.source, salt)
    except KeyTaken:
        raise Problem(409, "experiment_exists", "An experiment with this key exists", field="key") from None
    await repository.update(connection, number, _own_fields(new, salt))
    await repository.replace_variants(connection, number, new.variants)
    await repository.replace_metrics(connection, number, metrics)
    await _place(connection, number, new)
    if new.ramp is not None:
        await ramp_state.keep(connection, number, new.ramp, 0, started=False, grown=False)
    return await versions.keep_version(connection, None, new.key, Occasion("create", actor))


async def locked(connection: Connection, key: str, if_match: str | None, *, required: bool = False) -> Row:
    """The experiment as it stands, which nobody else changes until the transaction's end.

    required: whether the caller must say which state it saw. Raises Problem `not_found`, or of `require_match`.
    """
    await holdouts.share_lock(connection)
    await repository.lock(connection, key)
    row = found(await repository.read_one(connection, key), "experiment")
    if required or if_match is not None:
        require_match(if_match, version_tag(row["version"]))
    return row


async def _apply(connection: Connection, row: Row, patch: ExperimentPatch, actor: Actor) -> bool:
    """Store what the patch changes, if it may; whether it changes anything."""
    current = ExperimentOut.model_validate(row)
    before = changes.written(current)
    try:
        after = changes.patched(current, patch)
    except ValidationError as error:
        raise misread(error) from None
    given = patch.allocation if "allocation" in patch.model_fields_set else None
    after = _at_its_first_step(current.status, after, given)
    changed = changes.changed_fields(before, after)
    metrics = await resolve(connection, after.metrics) if "metrics" in patch.model_fields_set else None
    if metrics is not None and [use.message for use in metrics] != _measured(row):
        changed.add("metrics")
    if "decision" in patch.model_fields_set and patch.decision != changes.decision_of(current):
        changed.add("decision")
    if "enrolment" in patch.model_fields_set and _closed_for_now(row):
        changed.add("enrolment")  # also where it is closed: it is to stay so
    looked = "planned_units" in changed and await repository.any_look(connection, row["id"])
    refused = changes.refusals(current, before, after, changed, looked=looked)
    if refused:
        raise refuse(409, refused)
    _check_stop(current, after, changed)
    _check_fitness(before, after)
    if "decision" in changed and patch.decision is not None:
        unfit = changes.decision_refusals(current, patch.decision, "decision.")
        if unfit:
            raise refuse(422, unfit)
    await _store(connection, row, after, changed, metrics)
    await _store_ramp(connection, current, after, changed)
    if "decision" in changed:
        decided = None if patch.decision is None else versions.decided(patch.decision, actor)
        await repository.set_decision(connection, row["id"], decided)
        await repository.set_release(connection, row["id"], changes.release_by(current, patch.decision))
    return bool(changed)


def _is_same(held: Row | None, wanted: Row) -> bool:
    """Whether the release is what is wanted already, whenever the time of its step began."""
    if held is None or "ramp" not in held or "ramp" not in wanted:
        return held == wanted
    return held == wanted | {"ramp": wanted["ramp"] | {"step_since": held["ramp"]["step_since"]}}


def _closed_for_now(row: Row) -> bool:
    """Whether the enrolment is closed by a step that something undoes."""
    return row["rolled_back_from"] is not None or (row["ramp"] is not None and row["ramp"]["closed"])


async def _store(
    connection: Connection, row: Row, after: ExperimentIn, changed: set[str], metrics: list[UsedMetric] | None
) -> None:
    if "holdouts" in changed:
        await _check_holdouts(connection, after)
    if changed.intersection({*_OWN_FIELDS, "salt"}):
        await repository.update(
            connection,
            row["id"],
            _own_fields(after, after.salt or row["salt"]),
            enrolment_said="enrolment" in changed,
        )
    if "variants" in changed:
        await repository.replace_variants(connection, row["id"], after.variants)
    if "metrics" in changed and metrics is not None:
        await repository.replace_metrics(connection, row["id"], metrics)
    if "layer" in changed:
        await _place(connection, row["id"], after)


async def _store_ramp(
    connection: Connection, current: ExperimentOut, after: ExperimentIn, changed: set[str]
) -> None:
    if "enrolment" in changed:
        await ramp_state.forget_closing(connection, current.id)
    if after.ramp is None and "ramp" in changed:
        await ramp_state.reopen(connection, current.id)
        await ramp_state.remove(connection, current.id)
    elif after.ramp is not None and changed & {"ramp", "allocation"}:
        position = ramp_rules.position(current.status, current.ramp, after.ramp, after.allocation)
        started = current.status in STARTED
        grown = current.ramp is None or "allocation" in changed
        await ramp_state.keep(connection, current.id, after.ramp, position, started=started, grown=grown)


def _at_its_first_step(status: Status, experiment: ExperimentIn, given: int | None) -> ExperimentIn:
    """With the allocation that its ramp says until it starts. given: the allocation that was named, if any."""
    share = ramp_rules.first_share(status, experiment.ramp)
    if share is None or experiment.ramp is None:
        return experiment
    refused = ramp_rules.start_refusal(given, experiment.ramp)
    if refused is not None:
        raise refuse(422, [refused])
    return experiment.model_copy(update={"allocation": share})


def _check_fitness(before: ExperimentIn | None, after: ExperimentIn) -> None:
    unfit = fitness.unfit(before, after)
    if unfit:
        raise refuse(422, unfit)


def _check_stop(current: ExperimentOut, after: ExperimentIn, changed: set[str]) -> None:
    """The stop of what runs may move, but not into the past: to stop now is a step."""
    stop = after.scheduled_stop_at
    if "scheduled_stop_at" in changed and current.status in STARTED and stop and stop <= datetime.now(UTC):
        message = f"must be later than now, {format_instant(datetime.now(UTC))}"
        raise refuse(422, [Violation(Code.DATES_ORDER, message, "scheduled_stop_at")])


def _measured(row: Row) -> list[MetricMessage]:
    return versions.snapshot_of(row, datetime.now(UTC)).metrics


def _own_fields(experiment: ExperimentIn, salt: str) -> Row:
    return {name: getattr(experiment, name) for name in _OWN_FIELDS} | {"salt": salt}


async def _check_holdouts(connection: Connection, experiment: ExperimentIn) -> None:
    unknown = await holdouts.find_unknown(connection, experiment.holdouts or [])
    if unknown:
        message = f"there is no holdout {', '.join(unknown)}"
        raise refuse(422, [Violation(Code.UNKNOWN_HOLDOUT, message, "holdouts")])


async def _place(connection: Connection, experiment_id: int, experiment: ExperimentIn) -> None:
    if experiment.layer is None:
        await repository.place(connection, experiment_id, None, None, None)
        return
    layer_id, slots = await reserve(connection, experiment.layer.key, experiment.layer.share, experiment_id)
    await repository.place(connection, experiment_id, layer_id, slots.start, slots.end)
