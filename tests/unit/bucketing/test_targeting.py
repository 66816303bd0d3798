"""Targeting expressions: what is refused when they are saved, and what they say of attributes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from neonblue.bucketing import (
    EXPRESSION_LENGTH,
    FULL_ALLOCATION,
    Configuration,
    Reason,
    TargetingError,
    Unit,
    compile_expression,
    evaluate,
)

REFUSED = [
    ("", "line 1, column 1"),
    ("attributes.country ==", "line 1, column 22"),
    ("attributes.age > 1 &&\n  country == 'DE'", "line 2, column 3: undeclared reference to 'country'"),
    ("1 + 'a' == 2", "no matching overload"),
    ("attributes.age + 1", "must be true or false, not int"),
    ("attributes.beta", "must be true or false, compare it"),
    ("[true]", "must be true or false, not list"),
    ("attributes.f('x')", "undeclared reference to 'f'"),
    ("(" * 100 + "true" + ")" * 100, "recursion limit"),
    ("attributes.a == '\x00'", "NUL"),
    ("attributes.a == '\ud800'", "surrogate"),
    ("true || " * 1_000 + "true", f"at most {EXPRESSION_LENGTH}"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_does_not_compile_to_a_boolean_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        compile_expression(text)


PERSON = {
    "country": "DE",
    "age": 34,
    "plan": None,
    "tags": ["beta", "b2b"],
    "size": {"staff": 12.5},
    "paid": True,
}
ANSWERED = [
    ("attributes.country in ['DE', 'AT']", True),
    ("attributes.country.startsWith('F')", False),
    ("attributes.age >= 18 && attributes.age < 34.5", True),
    ("attributes.plan == null", True),
    ("has(attributes.plan) && !has(attributes.gone)", True),
    ("'beta' in attributes.tags", True),
    ("attributes.tags.exists(tag, tag.matches('^b[0-9]b$'))", True),
    ("attributes.size.staff > 100", False),
    ("attributes.paid == true", True),
    ("attributes.gone == 1 || attributes.paid == true", True),
]


@pytest.mark.parametrize(("text", "answer"), ANSWERED, ids=[text for text, _ in ANSWERED])
def test_an_expression_reads_the_attributes(text: str, answer: bool) -> None:
    assert compile_expression(text).matches(PERSON) is answer


WITHOUT_ANSWER: list[tuple[str, dict[str, Any]]] = [
    ("attributes.age > 18", {}),
    ("attributes.age > 18", {"age": "old"}),
    ("attributes.age > 18", {"age": 2**70}),
    ("attributes.name == 'x'", {"name": "\ud800"}),
    ("attributes.name.matches('(((')", {"name": "x"}),
    ("attributes.when > timestamp('2026-01-01T00:00:00Z')", {"when": "yesterday"}),
    ("[1,2,3,4,5,6,7,8,9].all(a, " * 5 + "true" + ")" * 5, {}),
]


@pytest.mark.parametrize(("text", "attributes"), WITHOUT_ANSWER)
def test_an_expression_without_an_answer_means_not_targeted_and_says_so(
    text: str, attributes: dict[str, Any]
) -> None:
    targeting = compile_expression(text)
    with pytest.raises(TargetingError):
        targeting.matches(attributes)
    found = evaluate(
        Configuration("s", FULL_ALLOCATION, (("a", 1),), targeting=targeting), Unit("u", attributes)
    )
    assert (found.variant_key, found.reason) == (None, Reason.NOT_TARGETED)
    assert found.error


@pytest.mark.parametrize("version", ["newest", "", None, 1.1, 2, True, ["1.10"], {"major": 1}])
@pytest.mark.parametrize("text", ["semver(attributes.v) < '2'", "!(semver(attributes.v) >= '2')"])
def test_an_unreadable_version_means_not_targeted_and_is_no_error(text: str, version: Any) -> None:
    assert compile_expression(text).matches({"v": version}) is False
    assert compile_expression(f"{text} || attributes.staff == true").matches({"v": version, "staff": True})


def test_a_missing_version_is_a_missing_attribute() -> None:
    with pytest.raises(TargetingError, match="version"):
        compile_expression("semver(attributes.version) < '2'").matches({})
