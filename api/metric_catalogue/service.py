"""The catalogue: a metric in use keeps its meaning; a new meaning is a new version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from pydantic import ValidationError

from api.audit import Actor, Change, recorded
from api.http.etags import require_match, version_tag
from api.http.pages import cut
from api.http.problems import Problem, found
from api.http.refusals import misread, refuse
from api.metric_catalogue import repository
from api.metric_catalogue.definitions import MetricDefinition, completed, stored
from api.metric_catalogue.repository import MetricKeyTaken, Row
from api.metric_catalogue.rules import broken_watch_rule
from api.metric_catalogue.schemas import (
    CatalogueMetricIn,
    CatalogueMetricOut,
    InlineMetric,
    MetricPage,
    MetricPatch,
    MetricReference,
    MetricVersionOut,
    MetricVersions,
    NewMetricVersion,
)
from api.postgres.database import Connection, Pool
from neonblue.contract.codes import Code
from neonblue.contract.messages import MetricMessage
from neonblue.contract.violation import Violation

_BEYOND_ALL = 2**31 - 1
_DESCRIBED = ("name", "description", "owner", "tags", "watched")
_FREE = frozenset({"role", "on_breach"})
"""Defaults that experiments copy, no part of the meaning."""


@dataclass(frozen=True, slots=True)
class UsedMetric:
    """What an experiment measures. `metric_id`: of the catalogue; None for the experiment's own."""

    metric_id: int | None
    message: MetricMessage


@dataclass(frozen=True, slots=True)
class UsingExperiment:
    """An experiment that measures a metric of the catalogue, or is watched by it only: then it has no role.

    is_active: false where it is not watched any more.
    """

    key: str
    name: str | None
    status: str
    version: int
    role: str | None
    is_measured: bool
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class UsingExperiments:
    """Newest first. next_cursor: None on the last page."""

    items: Sequence[UsingExperiment]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class MetricCatalogue:
    pool: Pool

    async def create(self, new: CatalogueMetricIn, actor: Actor) -> CatalogueMetricOut:
        """Raises Problem `metric_exists`."""
        _check_watch(new.message(new.key, 1), watched=new.watched)
        described = tuple(getattr(new, name) for name in _DESCRIBED)
        try:
            async with self.pool.transaction() as connection:
                definition = stored(new.message(new.key, 1))
                await repository.insert(connection, new.key, described, definition, actor.name)
                doing = Change("create", "metric", new.key, None, None)
                return _shown(await recorded(connection, actor, doing, _read(connection, new.key)))
        except MetricKeyTaken:
            raise Problem(409, "metric_exists", "A metric with this key exists", field="key") from None

    async def get(self, key: str) -> CatalogueMetricOut:
        """Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            return _shown(found(await _read(connection, key), "metric"))

    async def page(self, before: int | None, filters: Mapping[str, str | None], limit: int) -> MetricPage:
        """A page of metrics, newest first. `filters`: type, tag, owner, text."""
        async with self.pool.connection() as connection:
            rows = await repository.read_page(
                connection, {**filters, "before": before or _BEYOND_ALL, "limit": limit + 1}
            )
        shown, cursor = cut(rows, limit, key=lambda row: int(row["id"]))
        return MetricPage(items=[_shown(row) for row in shown], next_cursor=cursor)

    async def versions(self, key: str) -> MetricVersions:
        """Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            rows = await repository.read_versions(connection, key)
        items = [MetricVersionOut(**row["definition"], **row) for row in found(rows or None, "metric")]
        return MetricVersions(items=items)

    async def uses(self, keys: Sequence[str]) -> Mapping[str, int]:
        """How many experiments measure each metric, or are watched by it, in any version; without those of none."""
        async with self.pool.connection() as connection:
            return await repository.count_uses(connection, keys)

    async def users(self, key: str, before: int | None, limit: int) -> UsingExperiments:
        """The experiments that `uses` counts. Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            metric = found(await _read(connection, key), "metric")
            rows = await repository.read_users(connection, metric["id"], before or _BEYOND_ALL, limit + 1)
        shown, cursor = cut(rows, limit, key=lambda row: int(row["id"]))
        items = [
            UsingExperiment(**{name: value for name, value in row.items() if name != "id"}) for row in shown
        ]
        return UsingExperiments(items, cursor)

    async def patch(
        self, key: str, patch: MetricPatch, if_match: str | None, actor: Actor
    ) -> CatalogueMetricOut:
        """Raises Problem `metric_in_use` naming each field that would change the meaning, or of `require_match`."""
        async with self.pool.transaction() as connection:
            await repository.lock(connection, key)
            before = found(await _read(connection, key), "metric")
            require_match(if_match, version_tag(before["revision"]))
            definition = _redefined(before, patch)
            changed = [name for name, value in definition.items() if value != before["definition"][name]]
            if before["in_use"]:
                _refuse_meaning([name for name in changed if name not in _FREE])
            described = tuple(
                getattr(patch, name) if name in patch.model_fields_set else before[name]
                for name in _DESCRIBED
            )
            watched = patch.watched if "watched" in patch.model_fields_set else before["watched"]
            _check_watch(_message(key, before["version"], definition), watched=watched)
            if not changed and described == tuple(before[name] for name in _DESCRIBED):
                return _shown(before)
            if changed:
                await repository.redefine(connection, before["id"], before["version"], definition)
            await repository.describe(connection, before["id"], described)
            doing = Change("change", "metric", key, before, None)
            return _shown(await recorded(connection, actor, doing, _read(connection, key)))

    async def add_version(self, key: str, new: NewMetricVersion, actor: Actor) -> CatalogueMetricOut:
        """Raises Problem `same_definition` where nothing is new."""
        async with self.pool.transaction() as connection:
            await repository.lock(connection, key)
            before = found(await _read(connection, key), "metric")
            version = before["version"] + 1
            message = new.message(key, version)
            _check_watch(message, watched=before["watched"])
            definition = stored(message)
            if definition == before["definition"]:
                raise Problem(409, "same_definition", f"Version {before['version']} says the same")
            await repository.add_version(
                connection, before["id"], version, definition, actor.name, new.reason
            )
            doing = Change("new_version", "metric", key, before, None)
            return _shown(await recorded(connection, actor, doing, _read(connection, key)))


async def resolve(
    connection: Connection, metrics: Sequence[InlineMetric | MetricReference]
) -> list[UsedMetric]:
    """The whole definitions that an experiment's metrics mean, in their order.

    Raises Problem `unknown_metric`, RequestValidationError for what the reference makes of the definition.
    """
    return [await _resolve(connection, position, metric) for position, metric in enumerate(metrics)]


async def _resolve(
    connection: Connection, position: int, metric: InlineMetric | MetricReference
) -> UsedMetric:
    if isinstance(metric, InlineMetric):
        return UsedMetric(None, metric.message(metric.key, 1))
    row = await repository.read_referred(connection, metric.key, metric.version)
    if row is None:
        what = "metric" if metric.version is None else f"version {metric.version} of the metric"
        message = f"the catalogue has no {what} {metric.key}"
        raise refuse(422, [Violation(Code.UNKNOWN_METRIC, message, f"metrics.{position}.key")])
    given = metric.model_dump(exclude={"key", "version"}, exclude_none=True)
    meant = row["definition"] | given
    if meant.get("role") != "guardrail" and metric.on_breach is None:
        meant["on_breach"] = None
    try:
        definition = MetricDefinition.model_validate(meant)
    except ValidationError as error:
        raise misread(error, "metrics", position) from None
    return UsedMetric(row["id"], definition.message(metric.key, row["version"]))


def _redefined(before: Row, patch: MetricPatch) -> Row:
    """The definition with the given fields replaced; where `cuped` is not among them, a new type chooses it."""
    named = patch.model_fields_set & MetricDefinition.model_fields.keys()
    given = patch.model_dump(mode="json", include=named)
    current: Row = dict(before["definition"])
    if "type" in named:
        current["cuped"] = None
    try:
        definition = MetricDefinition.model_validate(current | given)
    except ValidationError as error:
        raise misread(error) from None
    return stored(definition.message(before["key"], before["version"]))


def _message(key: str, version: int, definition: Row) -> MetricMessage:
    return msgspec.convert(definition | {"key": key, "version": version}, MetricMessage)


def _check_watch(metric: MetricMessage, *, watched: bool) -> None:
    broken = broken_watch_rule(metric) if watched else None
    if broken is not None:
        raise refuse(422, [broken])


def _refuse_meaning(fields: Sequence[str]) -> None:
    if fields:
        message = "experiments refer to this version: its meaning stays; POST a new version"
        violations = [Violation(Code.FROZEN, message, name) for name in fields]
        raise refuse(409, violations, "metric_in_use")


def _shown(row: Row) -> CatalogueMetricOut:
    return CatalogueMetricOut(**row["definition"], **row)


async def _read(connection: Connection, key: str) -> Row | None:
    row = await repository.read_one(connection, key)
    return None if row is None else row | {"definition": completed(row["definition"])}
