"""Every reference case that is shipped or given, one test per case."""

from pathlib import Path

import pytest

from tests.unit.statistics import reference

# Its cases are rows of other people's data, which are not ours to pass on.
NOT_SHIPPED = {"real_datasets"}
ADAPTERS = {path.stem for path in Path(reference.__file__).parent.glob("[a-z]*.py")}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        given = metafunc.config.getoption("--cases")
        if given and not Path(given).is_dir():
            raise pytest.UsageError(f"--cases: there is no folder {given}")
        cases = reference.all_cases(Path(given or reference.FURTHER))
        metafunc.parametrize("case", cases, ids=[f"{case.method}-{case.name}" for case in cases])


def test_every_method_has_cases_in_the_repository() -> None:
    shipped = reference.load_cases(reference.SHIPPED) + reference.load_cases(reference.EDGES)

    assert {case.method for case in shipped} >= ADAPTERS - NOT_SHIPPED
    assert all(case.expected for case in shipped)


def test_no_shipped_case_needs_a_file() -> None:
    for case in reference.load_cases(reference.SHIPPED):
        assert not {"file", "files", "raw_file"} & set(case.inputs), case.name


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
