"""Attributes of people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from api.audit import Actor, Change, record
from api.http.problems import Problem, found
from api.identity.identify import Identify
from api.identity.pseudonyms import pseudonym
from api.postgres.database import Connection, Pool
from api.users import repository
from api.users.reading import Reading, hold_still, record_reading
from api.users.repository import Held, Person
from api.users.schemas import ATTRIBUTES_BYTES, UserOut
from neonblue.contract.messages import encode_message


@dataclass(frozen=True, slots=True)
class UserService:
    pool: Pool
    identify: Identify

    async def get(self, unit_type: str, user_id: str, actor: Actor) -> UserOut:
        """Raises Problem `not_found`."""
        person = self._person(unit_type, user_id)
        async with self.pool.transaction() as connection:
            await hold_still(connection, person)
            held = found(await repository.read(connection, person), "user")
            await record_reading(connection, actor, person, Reading.ATTRIBUTES)
        return _out(unit_type, user_id, held)

    async def put(
        self, unit_type: str, user_id: str, attributes: Mapping[str, Any], actor: Actor
    ) -> tuple[UserOut, bool]:
        """Make these the person's attributes; whether it is new."""
        return await self._change(unit_type, user_id, actor, lambda _: dict(attributes))

    async def patch(
        self, unit_type: str, user_id: str, changes: Mapping[str, Any], actor: Actor
    ) -> tuple[UserOut, bool]:
        """Merge these into the person's attributes; a null removes. Raises Problem `too_large`."""
        return await self._change(unit_type, user_id, actor, lambda held: merged(held, changes))

    async def _change(
        self,
        unit_type: str,
        user_id: str,
        actor: Actor,
        change: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> tuple[UserOut, bool]:
        person = self._person(unit_type, user_id)
        async with self.pool.transaction() as connection:
            new = await repository.read(connection, person) is None
            held = await repository.read_or_make(connection, person)
            after = Held(change(held.attributes), held.created_at)
            if len(encode_message(after.attributes)) > ATTRIBUTES_BYTES:
                raise Problem(
                    422,
                    "too_large",
                    f"A user's attributes hold at most {ATTRIBUTES_BYTES} bytes",
                    field="attributes",
                )
            await repository.set_attributes(connection, person, after.attributes)
            await _audit(connection, actor, person, held, after)
        return _out(unit_type, user_id, after), new

    def _person(self, unit_type: str, user_id: str) -> Person:
        return Person(unit_type, self.identify(user_id))


def merged(target: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) of an object."""
    result = dict(target)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            before = result.get(name)
            result[name] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[name] = value
    return result


async def _audit(connection: Connection, actor: Actor, person: Person, before: Held, after: Held) -> None:
    """Which attributes changed, never to what: the log outlives the person's data."""
    names = sorted(
        name
        for name in before.attributes.keys() | after.attributes.keys()
        if before.attributes.get(name, ...) != after.attributes.get(name, ...)
    )
    name = await pseudonym(connection, person.unit_type, person.user_id)
    await record(connection, actor, Change("set_attributes", "user", name, None, {"changed": names}))


def _out(unit_type: str, user_id: str, held: Held) -> UserOut:
    return UserOut(
        user_id=user_id, unit_type=unit_type, attributes=held.attributes, created_at=held.created_at
    )
