"""Forty lives of experiments at once through the whole platform: each number is the one of a plain computation.

What is sent over HTTP goes through PostgreSQL, Debezium, Kafka, ClickHouse, dbt and Dagster to the results, in three
phases with a build after each. Each build must be green, and afterwards every row of every mart, built and live, and
the results are compared with plain Python (`tests/end_to_end/lives`) from what was sent; at the end every other part of
the answers as well.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest

from neonblue.clickhouse.client import connect
from neonblue.results.warehouse import Warehouse
from neonblue.settings import Settings
from orchestration.following import follow
from orchestration.launch import submit
from orchestration.outcome import BuildOutcome
from tests.end_to_end.conftest import CommandLine
from tests.end_to_end.lives.comparing import Tally, compare_marts, compare_parts, compare_results, read_marts
from tests.end_to_end.lives.design import LIVES
from tests.end_to_end.lives.plain import PlainResults, expected_of
from tests.end_to_end.lives.playing import Play
from tests.waiting import until

pytestmark = pytest.mark.timeout(3600)
SEED = 18
SHOWN = 40


@dataclass(frozen=True)
class Played:
    """What each of the phases came to. statuses: of the lives at the end."""

    builds: list[BuildOutcome]
    tallies: list[Tally]
    statuses: dict[str, str]


def build(settings: Settings, neonblue: CommandLine) -> BuildOutcome:
    """Build once all that was sent has arrived, and wait until the live views go on from there."""
    neonblue.run("reconcile", "--wait", "120")
    began = time.monotonic()
    *_, last = follow(settings, submit(settings))
    outcome = last.course.outcome(succeeded=last.succeeded, seconds=time.monotonic() - began)
    done = datetime.now(UTC)
    with connect(settings.clickhouse) as client:

        def refreshed() -> bool:
            counted = Warehouse.of(client).counted().to
            return counted is not None and counted > done

        until(refreshed, "the live views go on from the build", 120)
    return outcome


def compare(settings: Settings, api: httpx.Client, play: Play, *, parts: bool) -> Tally:
    """Every mart and the results of every life; with the other parts of its answers, if `parts`."""
    tally, told = Tally(), play.platform.told
    with connect(settings.clickhouse) as client:
        numbers = [known.number for known in told.values()]
        built, live = (read_marts(client, numbers, live=live) for live in (False, True))
    for life in LIVES:
        expected = expected_of(life, play.platform)
        plain = PlainResults(life, told[life.key], expected, datetime.now(UTC))
        compare_marts(tally, plain, built, live=False)
        compare_marts(tally, plain, live, live=True)
        compare_results(tally, plain, api)
        if parts:
            compare_parts(tally, plain, api)
    return tally


@pytest.fixture(scope="module")
def played(settings: Settings, api: httpx.Client, neonblue: CommandLine) -> Played:
    play, builds, tallies = Play(api, SEED), [], []
    for number, phase in enumerate((play.begin, play.go_on, play.end), 1):
        began = time.monotonic()
        phase()
        sent = time.monotonic()
        builds.append(build(settings, neonblue))
        built = time.monotonic()
        tallies.append(compare(settings, api, play, parts=phase == play.end))
        print(
            f"\nphase {number}: {len(play.platform.events):,} events so far, sent in {sent - began:.0f} s; "
            f"{len(builds[-1].models)} models and {len(builds[-1].tests)} tests in {built - sent:.0f} s; "
            f"{tallies[-1].compared.total():,} numbers compared in {time.monotonic() - built:.0f} s, "
            f"{len(tallies[-1].wrong)} differ"
        )
        for line in tallies[-1].wrong[:SHOWN]:
            print(f"  {line}")
    return Played(builds, tallies, {key: told.status for key, told in play.platform.told.items()})


def test_every_build_is_green(played: Played) -> None:
    for outcome in played.builds:
        assert outcome.succeeded, (outcome.error, outcome.failed)
        assert not outcome.skipped
        assert outcome.tests


def test_every_life_ends_as_it_was_led(played: Played) -> None:
    assert played.statuses == {life.key: life.ends for life in LIVES}


def test_every_number_is_that_of_the_plain_computation(played: Played) -> None:
    first, *others = played.tallies
    compared = sum((tally.compared for tally in others), first.compared)
    for life in LIVES:
        print(f"{life.key:<14} {life.ends:<10} {compared[life.key]:>9,}  {life.holds}")
    print(f"{'all':<25} {compared.total():>9,}")
    assert [tally.wrong[:SHOWN] for tally in played.tallies] == [[] for _ in played.tallies]
    assert min(compared[life.key] for life in LIVES) > 0
