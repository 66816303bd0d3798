"""What is stored under all ids of a person and what would be answered now, put together by experiment. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from api.assignments.repository import OfPerson
from api.assignments.schemas import AnsweredNow, FirstExposure, PersonAssignment
from neonblue.bucketing import Reason, ServedBy
from neonblue.contract.answers import AssignmentAnswer


def put_together(
    stored: Sequence[OfPerson],
    answers: Sequence[AssignmentAnswer],
    statuses: Mapping[int, str],
    own_id: str,
    *,
    everything: bool,
) -> list[PersonAssignment]:
    """Of each experiment one item, in the order of their numbers.

    own_id: the person's, among its ids. statuses: of the experiments of the answers. everything: whether experiments
    count that the person is not in, which answer it the control or nothing.
    """
    rows: dict[int, list[OfPerson]] = defaultdict(list)
    for row in stored:
        rows[row.experiment_id].append(row)
    now = {answer.experiment_id: answer for answer in answers if answer.experiment_id is not None}
    return list(_items(rows, now, statuses, own_id, everything=everything))


def _items(
    rows: Mapping[int, list[OfPerson]],
    now: Mapping[int, AssignmentAnswer],
    statuses: Mapping[int, str],
    own_id: str,
    *,
    everything: bool,
) -> Iterator[PersonAssignment]:
    for number in sorted(rows.keys() | now.keys()):
        answer = now.get(number)
        told = None if answer is None else _told(answer)
        if number in rows:
            yield _stored(rows[number], own_id, told)
        elif answer is not None and told is not None and (everything or _is_in(told)):
            yield PersonAssignment(
                experiment=answer.experiment,
                experiment_id=number,
                experiment_status=statuses.get(number, "running"),
                variant_key=None,
                version=None,
                reason=None,
                assigned_at=None,
                exposures=[],
                several_variants=False,
                now=told,
            )


def _stored(rows: Sequence[OfPerson], own_id: str, now: AnsweredNow | None) -> PersonAssignment:
    """rows: of one experiment, by time. The person's own counts, else the first of its other ids."""
    chosen = next((row for row in rows if row.user_id == own_id), rows[0])
    first: dict[str, FirstExposure] = {}
    for row in sorted((row for row in rows if row.exposed_at), key=lambda row: str(row.exposed_at)):
        if row.exposed_at is not None:
            exposure = FirstExposure(variant_key=row.variant_key, first_at=row.exposed_at)
            first.setdefault(row.variant_key, exposure)
    return PersonAssignment(
        experiment=chosen.experiment,
        experiment_id=chosen.experiment_id,
        experiment_status=chosen.status,
        variant_key=chosen.variant_key,
        version=chosen.version,
        reason=_reason(chosen, rows, own_id),
        assigned_at=chosen.assigned_at,
        exposures=list(first.values()),
        several_variants=len({row.variant_key for row in rows}) > 1,
        now=now,
    )


def _reason(chosen: OfPerson, rows: Sequence[OfPerson], own_id: str) -> str:
    if chosen.source == "external":
        return "imported"
    given = (chosen.variant_key, chosen.version, chosen.assigned_at)
    taken_over = any(
        row.user_id != chosen.user_id and (row.variant_key, row.version, row.assigned_at) == given
        for row in rows
    )
    return "linked" if taken_over or chosen.user_id != own_id else str(Reason.ASSIGNED)


def _told(answer: AssignmentAnswer) -> AnsweredNow:
    """A stored variant is answered without a reason: it was assigned."""
    has = answer.variant_key is not None
    return AnsweredNow(
        variant_key=answer.variant_key,
        reason=answer.reason or (str(Reason.ASSIGNED) if has else None),
        served_by=(answer.served_by or str(ServedBy.EXPERIMENT)) if has else None,
        version=answer.version,
        payload=answer.payload,
    )


def _is_in(told: AnsweredNow) -> bool:
    """Whether an experiment or a release gives the person its variant."""
    return told.served_by in (ServedBy.EXPERIMENT, ServedBy.RELEASE)
