"""The comparison of reference cases finds what it must: a case that can't fail shows nothing."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.statistics import reference

PLAIN = ModuleType("plain")


def differences(expected, actual, tolerance=None):
    stated = tolerance or {"rtol": 1e-8, "p_rtol": 1e-6}
    case = reference.Case("method", "case", {}, {}, expected, stated, Path())
    return reference.differences(case, actual, PLAIN)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"diff": 1.0}, {"diff": 1.0 + 1e-7}),
        ({"p_two_sided": 1e-20}, {"p_two_sided": 1.00001e-20}),
        ({"diff": 1.0}, {}),
        ({"diff": 1.0}, {"diff": None}),
        ({"diff": 1.0}, {"diff": {"error": "zero_variance"}}),
        ({"ci95": [0.0, 1.0]}, {"ci95": [0.0]}),
        ({"reject": True}, {"reject": False}),
        ({"ci95": None}, {"ci95": [0.0, 0.0]}),
        ({"error": "ANY"}, {"diff": 1.0}),
        ({"error": "ANY"}, {"error": "zero_variance", "p_value": 1.0}),
        ({"diff": 1.0}, {"diff": 1.0, "error": "zero_variance"}),
        ({"path": [{"p": 0.5}]}, {"path": [{"p": 0.6}]}),
    ],
)
def test_a_wrong_or_missing_number_is_found(expected, actual):
    assert differences(expected, actual)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"diff": 1.0}, {"diff": 1.0 + 1e-9}),
        ({"p_two_sided": 1e-20}, {"p_two_sided": 1.0000001e-20}),
        ({"p_two_sided": 0.0}, {"p_two_sided": 1e-310}),
        ({"ci95": None}, {"ci95": {"error": "ratio_unbounded"}}),
        ({"diff": 1.0, "p": None}, {"diff": 1.0, "error": "zero_variance"}),
        ({"error": "ANY", "diff": 1.0}, {"error": "zero_variance", "diff": 1.0}),
        ({"ci99": [0.0, 1.0]}, {"ci95": [0.0, 1.0]}),
        ({"note": "a remark"}, {}),
        ({"lower": "-Infinity"}, {"lower": float("-inf")}),
    ],
)
def test_agreement_within_the_tolerance_is_agreement(expected, actual):
    assert differences(expected, actual) == []


def test_refused_input_is_a_status_of_the_case():
    module = ModuleType("refusing")

    def compute(case):
        raise ValueError("n: must not be negative")

    module.compute = compute

    assert reference.compute(reference.Case("m", "c", {}, {}, {}, {}, Path()), module) == {
        "error": "n: must not be negative"
    }


def test_an_unknown_file_has_no_adapter():
    with pytest.raises(LookupError):
        reference.adapter("nobody_knows")
