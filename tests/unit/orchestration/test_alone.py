"""What can't be computed of one experiment stops no other."""

from __future__ import annotations

import pytest
from dagster import AssetCheckSeverity, AssetKey

from orchestration.alone import Alone

ASSET = AssetKey("decisions")


def test_the_experiments_after_one_that_fails_are_taken_and_it_is_told_by_its_key() -> None:
    alone, taken = Alone(), []
    for key, units in (("first", 1), ("second", 0), ("third", 2)):
        with alone.of(key):
            taken.append(1 / units)

    check = alone.check(ASSET)

    assert taken == [1.0, 0.5]
    assert (check.passed, check.severity) == (False, AssetCheckSeverity.ERROR)
    assert check.description == "second: ZeroDivisionError: division by zero"
    assert Alone().check(ASSET).passed


def test_a_store_that_is_away_concerns_all() -> None:
    with pytest.raises(ConnectionError), Alone().of("first"):
        raise ConnectionError
