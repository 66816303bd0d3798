"""Targeting: an expression in CEL (Common Expression Language) over a unit's attributes.

Beside CEL's own functions there is `semver(text)`, a version in the order of Semantic Versioning:
`semver(attributes.version) >= "1.10.0"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from neonblue.bucketing.cel_tree import Kind, Node, Tree, call, constant, read_tree
from neonblue.bucketing.targeting_cost import is_too_long
from neonblue.bucketing.versions import version_key

EXPRESSION_LENGTH = 4_096
"""Characters of an expression, at most."""

SEMVER = "semver"
ATTRIBUTES = "attributes"
ORDERINGS = frozenset({"_<_", "_<=_", "_>_", "_>=_"})
COMPARISONS = ORDERINGS | {"_==_", "_!=_"}
IN = "@in"

_PLACE = re.compile(r"ERROR: <input>:(?P<line>\d+):(?P<column>\d+): (?P<what>[^\n]*)")
_STATUS = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")
_LOOPS = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")
_NO_VERSION = re.compile(r"is no version such as|overloads found : semver\(")
"""What `semver` says of a text that it can't read, and CEL of what is no text."""


class TargetingError(Exception):
    """The expression has no answer for these attributes, such as where one that it reads is missing."""


@cache
def _cel() -> Any:
    """CEL's library, loaded with the first expression: it is 50 MB, and many programs have none. Raises ImportError."""
    from cel_expr_python import cel

    return cel


@cache
def _environment() -> Any:
    """CEL with `semver`.

    A version is the bytes of its order. CEL's checker is not told, so that a text may stand beside one:
    `_read_versions` makes each such text a version, and refuses what else could stand there.
    """
    cel = _cel()
    kinds = cel.Type
    return cel.NewEnv(
        variables={ATTRIBUTES: kinds.Map(kinds.STRING, kinds.DYN)},
        functions=[
            cel.FunctionDecl(
                SEMVER, [cel.Overload("semver_string", kinds.DYN, [kinds.STRING], False, version_key)]
            )
        ],
    )


@dataclass(frozen=True, slots=True)
class Targeting:
    """A compiled expression. Made by `compile_expression`."""

    text: str
    _compiled: Any = field(repr=False, compare=False)

    def matches(self, attributes: Mapping[str, Any]) -> bool:
        """Whether a unit with these attributes is meant: not, where the answer hangs on an unreadable version.

        Raises TargetingError.
        """
        if _LOOPS.search(self.text) and is_too_long(self.tree, attributes):
            raise TargetingError("a list in the attributes is too long for the expression to go through")
        try:
            answer = self._compiled.eval(data={ATTRIBUTES: attributes}).value()
        except (RuntimeError, TypeError, ValueError) as error:
            raise TargetingError(_STATUS.sub("", str(error))) from None
        if answer is True or answer is False:
            return answer
        reason = str(answer)
        if _NO_VERSION.search(reason):
            return False
        raise TargetingError(_STATUS.sub("", reason))

    def tree(self) -> Tree:
        """The expression, taken apart."""
        return read_tree(self._compiled.serialize())


def compile_expression(text: str) -> Targeting:
    """The expression, checked: it reads `attributes` alone (`attributes.country == "DE"`) and is a boolean.

    Raises ValueError, which says what is wrong and where, and ImportError where CEL is not installed. What an
    expression could say and never does is for `check_expression` to refuse, before it is stored.
    """
    if len(text) > EXPRESSION_LENGTH:
        raise ValueError(f"must be at most {EXPRESSION_LENGTH} characters long")
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    try:
        text.encode()
        compiled = _environment().compile(text)
    except UnicodeEncodeError:
        raise ValueError("contains half of a surrogate pair, which is no character") from None
    except (RuntimeError, TypeError) as error:
        raise ValueError(_explain(str(error))) from None
    kind = compiled.return_type()
    if kind != _cel().Type.BOOL:
        hint = "compare it: `== true`" if kind == _cel().Type.DYN else f"not {kind.name().lower()}"
        raise ValueError(f"must be true or false, {hint}")
    return Targeting(text, _read_versions(compiled) if SEMVER in text else compiled)


def evaluate_part(tree: Tree, expression: bytes) -> Any:
    """What a part of an expression that reads no attribute is. Raises ValueError where it has no answer."""
    try:
        found = _environment().deserialize(tree.of(expression)).eval(data={})
        if found.type() == _cel().Type.ERROR:
            raise ValueError(str(found.value()))
        return found.plain_value()
    except (RuntimeError, ValueError) as error:
        raise ValueError(_STATUS.sub("", _STATUS.sub("", str(error)))) from None


def refusal(node: Node, message: str) -> ValueError:
    """Why an expression is refused, at the place of one of its parts."""
    line, column = node.place
    return ValueError(f"line {line}, column {column}: {message}")


def is_version(node: Node) -> bool:
    return node.kind is Kind.CALL and node.name == SEMVER


def _read_versions(compiled: Any) -> Any:
    """The expression with each text that a version is compared with read as one."""
    tree = read_tree(compiled.serialize())
    compared: set[int] = set()
    replaced: dict[int, bytes] = {}
    for node in tree.root.walk():
        operands = list(_compared(node))
        if any(map(is_version, operands)):
            compared |= {operand.number for operand in operands}
            replaced |= {operand.number: _version(operand) for operand in operands}
    for node in tree.root.walk():
        if is_version(node) and node.number not in compared:
            raise refusal(node, "a version can only be compared: semver(attributes.version) >= '1.10.0'")
    return _environment().deserialize(tree.with_parts(replaced))


def _compared(node: Node) -> Iterator[Node]:
    """What a comparison compares; with a list, each of its items."""
    if node.kind is not Kind.CALL:
        return
    if node.name in COMPARISONS:
        yield from node.children
    elif node.name == IN:
        value, items = node.children
        if is_version(value) and items.kind is not Kind.LIST:
            raise refusal(items, "write the versions out: semver(attributes.version) in ['1.9.0', '1.10.0']")
        yield value
        yield from items.children if items.kind is Kind.LIST else ()


def _version(node: Node) -> bytes:
    """The part as a version; a constant one as the bytes that it is."""
    text = node.children[0] if is_version(node) else node
    if text.kind is Kind.CONSTANT and isinstance(text.value, str):
        try:
            return constant(version_key(text.value))
        except ValueError as error:
            raise refusal(text, str(error)) from None
    if is_version(node):
        return node.raw
    if node.type not in ("string", "dyn"):
        raise refusal(node, f"a version is compared with a text such as '1.10.0', not {node.type}")
    return call(SEMVER, node.raw)


def _explain(message: str) -> str:
    place = _PLACE.search(message)
    if place is None:
        return _STATUS.sub("", _STATUS.sub("", message))
    what = _STATUS.sub("", place["what"])
    return f"line {place['line']}, column {place['column']}: {what[:1].lower()}{what[1:]}"
