"""The plan of a fault run depends on its seed alone, and leaves nothing out."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neonblue.faults.kinds import COMPANIONS, CORE, NATURES, Kind, chosen
from neonblue.faults.plan import LONGEST_SHARE, OFTEN, make

SEEDS = st.integers(0, 2**63 - 1)
MINUTES = st.floats(0.1, 60)
KINDS = st.lists(st.sampled_from(Kind), min_size=1, unique=True)
SERVICES = st.lists(st.sampled_from(CORE), min_size=1, unique=True)


@given(SEEDS, MINUTES, KINDS, SERVICES)
def test_the_same_seed_gives_the_same_plan(
    seed: int, minutes: float, kinds: list[Kind], services: list[str]
) -> None:
    assert make(seed, minutes, kinds, services) == make(seed, minutes, kinds, services)


def test_another_seed_gives_another_plan() -> None:
    plans = {make(seed, 10, tuple(Kind), CORE).groups for seed in range(50)}

    assert len(plans) == 50


@example(332, 40.058011680237016, [Kind.KILL], ["postgres"])
@given(SEEDS, MINUTES, KINDS, SERVICES)
def test_every_fault_is_one_that_was_asked_for_and_begins_within_the_minutes(
    seed: int, minutes: float, kinds: list[Kind], services: list[str]
) -> None:
    plan = make(seed, minutes, kinds, services)

    assert plan.groups
    for group in plan.groups[1:]:
        assert group[0].at <= minutes * 60
    for fault in plan.faults:
        shortest, longest = NATURES[fault.kind].seconds
        assert fault.kind in kinds
        assert shortest <= fault.seconds <= max(longest, shortest)
        assert fault.seconds <= max(shortest, LONGEST_SHARE * minutes * 60) + 0.1
        assert (fault.target in services) if NATURES[fault.kind].of_service else fault.target == ""


@given(SEEDS, MINUTES, KINDS, SERVICES)
def test_groups_do_not_overlap_and_what_stands_alone_has_no_companion(
    seed: int, minutes: float, kinds: list[Kind], services: list[str]
) -> None:
    plan = make(seed, minutes, kinds, services)

    for before, after in zip(plan.groups, plan.groups[1:], strict=False):
        assert max(fault.at + fault.seconds for fault in before) < after[0].at
    for first, *companions in plan.groups:
        assert len(companions) <= 1
        for companion in companions:
            assert not NATURES[first.kind].alone
            assert companion.kind in COMPANIONS
            assert companion.kind != first.kind
            assert first.at <= companion.at <= first.at + max(first.seconds, 2.0) + 0.1


@given(SEEDS, KINDS, SERVICES)
def test_every_kind_and_every_service_has_its_turn(seed: int, kinds: list[Kind], services: list[str]) -> None:
    plan = make(seed, 600, kinds, services)
    firsts = [group[0] for group in plan.groups]
    turn = len(kinds) + sum(one in kinds for one in OFTEN)

    assert {fault.kind for fault in firsts[:turn]} == set(kinds)
    if Kind.KILL in kinds or Kind.STOP in kinds:
        struck = {fault.target for fault in plan.faults if fault.target}
        assert struck == set(services)


def test_there_is_no_plan_without_faults_services_or_time() -> None:
    for arguments in ((0, 1.0, (), CORE), (0, 1.0, tuple(Kind), ()), (0, 0.0, tuple(Kind), CORE)):
        with pytest.raises(ValueError, match=r"must be above 0|no fault"):
            make(*arguments)


def test_kinds_are_chosen_by_name() -> None:
    assert chosen(None) == tuple(Kind)
    assert chosen(["kill,stop", " kill , topic_deleted"]) == (Kind.KILL, Kind.STOP, Kind.TOPIC_DELETED)
    with pytest.raises(ValueError, match="no such fault: flood; there are kill, stop"):
        chosen(["kill,flood"])
    with pytest.raises(ValueError, match="no fault is named"):
        chosen([" , "])


def test_every_kind_says_what_it_does_and_can_be_struck() -> None:
    from neonblue.faults.strikes.table import STRIKES

    assert set(NATURES) == set(STRIKES) == set(Kind)
    assert all(nature.what for nature in NATURES.values())
