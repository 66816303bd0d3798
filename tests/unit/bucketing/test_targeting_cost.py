"""Which expressions may take long to evaluate, and what then becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from neonblue.bucketing import TargetingError, check_expression, compile_expression
from neonblue.bucketing.targeting_cost import instructions

SIXTY = "[" + ",".join(["1"] * 60) + "]"
EIGHT = "map(a, a + a + a + a + a + a + a + a)"
TAGS: dict[str, Any] = {"tags": [f"tag-{n}" for n in range(9_000)]}


@pytest.mark.parametrize(
    "text",
    [
        f"{SIXTY}.all(a, {SIXTY}.all(b, {SIXTY}.all(c, {SIXTY}.all(d, a + b + c + d + attributes.x > 0))))",
        f"{SIXTY}.all(a, {SIXTY}.exists(b, {SIXTY}.exists_one(c, a + b + c == attributes.x)))",
        "attributes.a.exists(a, attributes.b.exists(b, attributes.c.exists(c, a == b && b == c)))",
        f'[attributes.s].{EIGHT}.{EIGHT}.{EIGHT}[0].contains("b")',
        f"[attributes.tags].{EIGHT}.{EIGHT}.{EIGHT}.exists(x, x == [])",
        'attributes.s.matches("(a|b|c){1,900}d")',
        'attributes.s.matches("(.{1,30}){1,30}x")',
        'attributes.s.matches("((a{1,9}){1,9}){1,9}x")',
        'attributes.s.matches("[\\\\p{L}\\\\p{N}]{1,100}x")',
        'attributes.s.matches("(a|b){1000}") && attributes.t == "x"',
        'attributes.tags.exists(t, t.matches("(a|b|c){1,90}d"))',
    ],
)
def test_what_may_take_long_is_refused_before_it_is_stored(text: str) -> None:
    compile_expression(text)  # a stored one is still read

    with pytest.raises(ValueError, match=r"takes too long to evaluate, .* times of what is allowed"):
        check_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        'attributes.country in ["DE", "AT", "CH"] && attributes.age >= 18',
        "attributes.country in [" + ", ".join(f'"c{n}"' for n in range(500)) + "]",
        'attributes.email.matches("^[a-z0-9._%+-]+@(example|shop)\\\\.(com|de)$")',
        'attributes.emails.exists(e, e.matches("@example\\\\.com$"))',
        'attributes.tags.exists(t, t in ["a", "b", "c"]) && !attributes.tags.exists(t, t == "d")',
        "attributes.orders.exists(o, o.items.exists(i, i.price > 100))",
        'attributes.tags.filter(t, t.startsWith("vip")).size() > 1',
        'semver(attributes.version) >= "1.10.0"',
    ],
)
def test_what_people_write_is_accepted(text: str) -> None:
    check_expression(text)


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [
        ("abc", 3, 5),
        ("(a|b|c){1,900}d", 3_600, 9_000),
        ("[^]a]{50}", 50, 500),
        (r"\d{3}", 3, 12),
        ("a{,", 3, 5),
        ("a{2}{3}", 6, 8),
        ("((((", 0, 5),
        ("(", 0, 5),
        ("[", 0, 9),
        ("\\", 0, 9),
        ("a" * 4_000, 4_000, 4_002),
    ],
)
def test_a_pattern_is_as_long_as_what_it_repeats(pattern: str, least: int, most: int) -> None:
    assert least <= instructions(pattern) <= most


def test_attributes_that_make_an_accepted_expression_slow_have_no_answer() -> None:
    costly = compile_expression('attributes.tags.exists(t, t.matches("@(example|shop)\\\\.(com|de)$"))')

    assert not costly.matches({"tags": TAGS["tags"][:500]})
    with pytest.raises(TargetingError, match="too long"):
        costly.matches(TAGS)
    assert compile_expression('attributes.tags.exists(t, t == "tag-8999")').matches(TAGS)
