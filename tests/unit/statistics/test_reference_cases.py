"""Every reference case of every file in the folder given by --cases, one test per case."""

from pathlib import Path

import pytest

from tests.unit.statistics import reference


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = Path(metafunc.config.getoption("--cases") or reference.DEFAULT_CASES)
    if not folder.is_dir():
        absent = pytest.mark.skip(reason=f"no folder of reference cases at {folder}")
        metafunc.parametrize("case", [pytest.param(None, marks=absent, id="no-cases")])
        return
    cases = reference.load_cases(folder)
    metafunc.parametrize("case", cases, ids=[f"{case.method}-{case.name}" for case in cases])


def test_engine_agrees_with_the_reference(case: reference.Case) -> None:
    try:
        module = reference.adapter(case.method)
    except LookupError:
        pytest.fail(f"{case.method}.json: no adapter knows this file of cases")
    try:
        actual = reference.compute(case, module)
    except FileNotFoundError as missing:
        pytest.skip(f"the data file of this case is not here: {missing}")

    wrong = reference.differences(case, actual, module)

    assert not wrong, "\n".join(wrong)
