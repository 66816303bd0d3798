"""Links an anonymous id with a person's: the first assignment wins, and who met two variants is left out."""

from __future__ import annotations

from dataclasses import dataclass

from api.assignments.repository import NewAssignment, insert_earlier, upsert_users
from api.http.problems import Problem
from api.identity.identify import Identify
from api.identity.links import Pair, insert_link, is_person, lock_ids, read_links, read_pairs
from api.links.schemas import Conflict, LinkIn, LinkOut
from api.metrics import LINKS
from api.postgres.copying import write_outbox
from api.postgres.database import Connection, Pool, began_at
from neonblue.contract.instants import format_instant
from neonblue.contract.messages import AssignmentMessage, LinkMessage, encode_message
from neonblue.contract.outbox import ASSIGNMENTS, Aggregate, Happening, Message, OutboxRow, pack

_ADOPTED = LINKS.labels("adopted")
_AGREED = LINKS.labels("agreed")
_CONFLICTS = LINKS.labels("conflict")


@dataclass(frozen=True, slots=True)
class LinkService:
    pool: Pool
    outbox_batches: bool
    identify: Identify

    async def link(self, asked: LinkIn) -> LinkOut:
        """Store the link, once, and what the person takes over. Raises Problem `already_linked`, `link_chain`."""
        new = LinkIn(
            anonymous_id=self.identify(asked.anonymous_id),
            user_id=self.identify(asked.user_id),
            unit_type=asked.unit_type,
        )
        adopted: list[Pair] = []
        async with self.pool.transaction() as connection:
            await lock_ids(connection, new.unit_type, (new.anonymous_id, new.user_id))
            created = await _check(connection, new)
            pairs = await read_pairs(connection, new.unit_type, new.anonymous_id, new.user_id)
            if created:
                received_at = await began_at(connection)
                await insert_link(connection, new.unit_type, new.anonymous_id, new.user_id)
                await upsert_users(
                    connection, {(new.unit_type, new.anonymous_id): None, (new.unit_type, new.user_id): None}
                )
                adopted = await _adopt(connection, new, pairs)
                await self._tell(connection, new, adopted, received_at)
        conflicts = [_conflict(pair) for pair in pairs if pair.person not in (None, pair.anonymous)]
        if created:
            _ADOPTED.inc(len(adopted))
            _CONFLICTS.inc(len(conflicts))
            _AGREED.inc(sum(pair.person == pair.anonymous for pair in pairs))
        return LinkOut(
            anonymous_id=asked.anonymous_id,
            user_id=asked.user_id,
            unit_type=new.unit_type,
            created=created,
            adopted=[pair.experiment for pair in adopted],
            conflicts=conflicts,
        )

    async def _tell(self, connection: Connection, new: LinkIn, adopted: list[Pair], received_at: str) -> None:
        """Rows of the outbox: the link, then the person's new assignments."""
        link = LinkMessage(
            unit_type=new.unit_type,
            anonymous_id=new.anonymous_id,
            user_id=new.user_id,
            linked_at=received_at,
            received_at=received_at,
        )
        row = OutboxRow(Aggregate.USER_LINK, new.anonymous_id, Happening.USER_LINKED, encode_message(link))
        messages = [
            Message(f"{pair.experiment_id}:{new.user_id}", _message(new, pair, received_at))
            for pair in adopted
        ]
        await write_outbox(connection, [row, *pack(ASSIGNMENTS, messages, batch=self.outbox_batches)])


async def _adopt(connection: Connection, new: LinkIn, pairs: list[Pair]) -> list[Pair]:
    """Give the person what the anonymous id alone has; one that the person got meanwhile stays."""
    units = {(pair.experiment_id, new.unit_type, new.user_id): pair for pair in pairs if pair.person is None}
    created = await insert_earlier(
        connection,
        [
            NewAssignment(unit, pair.anonymous, pair.version, format_instant(pair.assigned_at), None)
            for unit, pair in units.items()
        ],
    )
    return [pair for unit, pair in units.items() if unit in created]


async def _check(connection: Connection, new: LinkIn) -> bool:
    """Whether the link is new."""
    user_type = new.unit_type
    links = await read_links(connection, {(user_type, new.anonymous_id), (user_type, new.user_id)})
    holder = links.get((user_type, new.anonymous_id))
    if holder == new.user_id:
        return False
    if holder is not None:
        raise Problem(
            409, "already_linked", "The anonymous id belongs to another person", field="anonymous_id"
        )
    if (user_type, new.user_id) in links:
        raise Problem(409, "link_chain", "This id is itself linked with a person's", field="user_id")
    if await is_person(connection, user_type, new.anonymous_id):
        raise Problem(409, "link_chain", "Other ids are linked with this one", field="anonymous_id")
    return True


def _conflict(pair: Pair) -> Conflict:
    person = pair.person or ""
    later = pair.person_assigned_at is None or pair.assigned_at <= pair.person_assigned_at
    return Conflict(
        experiment=pair.experiment,
        anonymous_variant=pair.anonymous,
        user_variant=person,
        first=pair.anonymous if later else person,
    )


def _message(new: LinkIn, pair: Pair, received_at: str) -> bytes:
    return encode_message(
        AssignmentMessage(
            experiment_id=pair.experiment_id,
            unit_type=new.unit_type,
            user_id=new.user_id,
            variant_key=pair.anonymous,
            version=pair.version,
            assigned_at=format_instant(pair.assigned_at),
            attributes=None,
            received_at=received_at,
        )
    )
