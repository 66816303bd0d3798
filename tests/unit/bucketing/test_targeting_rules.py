"""What compiles and is refused all the same before it is stored: what nobody can answer, or meet."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.bucketing import TargetingError, check_expression, compile_expression

NESTED = "[1,2,3,4,5,6,7,8,9].all(a, " * 5 + "true" + ")" * 5
REFUSED = [
    ('attributes.version >= "1.10.0"', "line 1, column 20: texts are compared letter by letter"),
    ('"1.10.0" <= attributes.version', "letter by letter"),
    ('attributes.age > "18"', "numbers with a number without quotes"),
    ('string(attributes.age) < "18"', "letter by letter"),
    ('has(attributes.x) && attributes.x < "a" + "b"', "letter by letter"),
    ('attributes.tags.exists(tag, tag > "b")', "letter by letter"),
    ('attributes.a == 1\n  ? attributes.b > "1" : true', "line 2, column 18"),
    ("attributes.name.matches('(((')", "can never be read: invalid regular expression: missing )"),
    ("matches(attributes.name, '[z-a]')", "invalid character class range"),
    ("attributes.name.matches('(' + '(')", "invalid regular expression"),
    ("attributes.tags.exists(tag, tag.matches('*'))", "invalid regular expression"),
    ("'ada'.matches(attributes.pattern)", "line 1, column 25: write the pattern itself"),
    ("matches(attributes.name, '^' + attributes.pattern)", "write the pattern itself"),
    ("attributes.patterns.exists(p, 'ada'.matches(p))", "write the pattern itself"),
    ("attributes.tags.map(t, t + 'x').exists(p, 'ada'.matches(p))", "write the pattern itself"),
    ("timestamp(attributes.at) > timestamp('yesterday')", "a time is written 2026-03-01T09:30:00Z"),
    ("timestamp(attributes.at) > timestamp('2026-13-01T00:00:00Z')", "can never be read"),
    ("duration(attributes.for) > duration('1 day')", "a duration is written 90s"),
    ("timestamp(attributes.at).getHours('Mars/Olympus') == 1", "can never be read: Invalid timezone"),
    ("attributes.age > int('x')", "cannot convert string to int"),
    ("attributes.age > double('1,5')", "cannot convert string to double"),
    ("attributes.age == uint(-1)", "out of uint64 range"),
    ("attributes.paid == bool('maybe')", "can never be read"),
    ("attributes.age > 9223372036854775807 + 1", "integer overflow"),
    ("attributes.age / 0 == 1", "divides by zero"),
    ("attributes.age % (2 - 2) == 1", "divides by zero"),
    ("attributes.country == ['DE'][1]", "can never be read: Index error"),
    ("attributes.country == {'a': 'DE'}['b']", "can never be read: Key not found"),
    ("attributes.country == {'a': 1, 'a': 2}['a']", "duplicate key"),
    ("attributes.tags[-1] == 'beta'", "a list has places 0, 1, 2"),
    ("attributes.at > timestamp('2026-01-01T00:00:00Z')", "never a time: write timestamp(…) around it"),
    ("attributes.at == timestamp('2026-01-01T00:00:00Z')", "never a time"),
    ("attributes.at - timestamp('2026-01-01T00:00:00Z') > duration('1h')", "never a time"),
    ("attributes.visits.exists(at, at > timestamp('2026-01-01T00:00:00Z'))", "never a time"),
    ("attributes.at in [timestamp('2026-01-01T00:00:00Z')]", "never a time"),
    ("attributes.at.getFullYear() == 2026", "never a time: write timestamp(…) around it"),
    ("attributes.wait > duration('1h')", "never a duration"),
    ("attributes.name == b'ada'", "never bytes"),
    ("attributes.age > null", "nothing is more or less than null"),
    ("attributes.paid > false", "nothing is more or less than true or false"),
    ("attributes.age > double('NaN')", "NaN"),
    ("attributes.age in [18, '19']", "the list mixes numbers and texts"),
    ("attributes.plan in ['pro', true]", "the list mixes texts and true or false"),
    ("attributes.plan in []", "nothing is in an empty list"),
    ("false", "is never true"),
    ("1 == 2 || 'a' == 'b'", "is never true"),
    (NESTED, "Iteration budget exceeded"),
    ("semver(attributes.version) >= 'newest'", "line 1, column 31: 'newest' is no version"),
    ("semver(attributes.version) >= semver('1.x')", "'1.x' is no version"),
    ("semver(attributes.version) in ['1.9', '1.10.0.0']", "'1.10.0.0' is no version"),
    ("semver(attributes.version) >= 1.10", "compared with a text such as '1.10.0', not double"),
    ("semver(attributes.version) == null", "compared with a text"),
    ("semver(attributes.version) in attributes.versions", "write the versions out"),
    ("size(semver(attributes.version)) > 2", "can only be compared"),
    ("attributes.age > 30 && attributes.age < 20", "can't be true together with what line 1, column 16 asks"),
    ("20 < attributes.age && attributes['age'] <= 20", "can't be true together"),
    ("attributes.c == 'DE' && attributes.x == 1 && attributes.c in ['AT', 'CH']", "can't be true together"),
    ("attributes.age == '18' && attributes.age > 17", "can't be true together"),
    ("attributes.paid == true && attributes.paid == 1", "can't be true together"),
    (
        "semver(attributes.version) >= '2' && semver(attributes.version) < '1.9'",
        "can't be true together",
    ),
]
STORED = [
    "attributes.country == 'DE'",
    "attributes.version == '1.10.0'",
    "attributes.plan in ['pro', null]",
    "attributes.age in [18, 19.5]",
    "attributes.age in [18] || attributes.age in ['18']",
    "attributes.age >= 18 && attributes.age <= 18",
    "attributes.c in ['DE', 'AT'] && attributes.c != 'AT'",
    "attributes.age == 18 && attributes.age == 18.0",
    "attributes.tags[0] == 'a' && attributes.tags[1] == 'b'",
    "attributes.least < attributes.most",
    "int(attributes.age) > 18",
    "attributes.b / 0.0 > 1.0",
    "timestamp(attributes.at) > timestamp('2026-01-01T00:00:00Z')",
    "timestamp(attributes.day + 'T00:00:00Z') > timestamp('2026-01-01T00:00:00Z')",
    "timestamp(attributes.at) - timestamp('2026-01-01T00:00:00Z') > duration('36h')",
    "timestamp(attributes.at).getHours('Europe/Berlin') == 1",
    "attributes.name.matches('^a.*b$')",
    "['^a', 'b$'].exists(p, attributes.name.matches(p))",
    "attributes.tags.exists(tag, tag.matches('^b[0-9]b$'))",
    "attributes.tags.filter(tag, tag != 'x').size() > 2",
    "{'DE': 1, 'AT': 2}[attributes.country] == 1",
    "type(attributes.age) == int",
    "attributes.size.staff > 100",
    "!(attributes.plan in ['pro'])",
    "semver(attributes.version) >= '1.10'",
    "semver(attributes.version) in ['1.9.0', 'v1.10.0-beta.1']",
    "attributes.versions.exists(version, semver(version) >= semver('2'))",
    "true",
]


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=[text for text, _ in REFUSED])
def test_what_nobody_can_answer_or_meet_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        check_expression(text)


@pytest.mark.parametrize("text", STORED)
def test_what_somebody_can_meet_is_accepted(text: str) -> None:
    check_expression(text)


@pytest.mark.parametrize("text", [text for text, _ in REFUSED if "semver" not in text])
def test_what_was_stored_before_still_evaluates(text: str) -> None:
    """To an answer or to none: never to an error of another kind."""
    with contextlib.suppress(TargetingError):
        assert compile_expression(text).matches({"version": "1.9.0", "age": 30}) in (True, False)


paths = st.sampled_from(["attributes.a", "attributes.b", "semver(attributes.v)"])
operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
numbers = st.integers(-2, 2)
demands = st.builds(
    lambda path, operator, number: (
        f"{path} {operator} " + (f"'{abs(number)}'" if "semver" in path else str(number))
    ),
    paths, operators, numbers,
)  # fmt: skip


@given(
    st.lists(demands, min_size=1, max_size=4).map(" && ".join),
    st.sampled_from([n / 2 for n in range(-5, 6)]),
    st.sampled_from([n / 2 for n in range(-5, 6)]),
    st.sampled_from(["0", "0.5", "1", "1.5", "2", "3"]),
)
def test_what_some_unit_meets_is_not_called_impossible(text: str, a: float, b: float, v: str) -> None:
    if compile_expression(text).matches({"a": a, "b": b, "v": v}):
        check_expression(text)
