"""Cuts a body into its items without reading them, so that a broken item leaves the others whole.

Only bodies that the decoder refused come here.
"""

from __future__ import annotations

import re

from neonblue.contract.codes import Code
from neonblue.contract.limits import REQUEST_ITEMS
from neonblue.contract.violation import ContractError

WHITESPACE = b" \t\n\r"

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


def split_array(body: bytes) -> list[bytes]:
    """The texts between the commas of the outermost array.

    Raises ContractError when the array does not end, when something follows it, or past the limit of items.
    """
    start = len(body) - len(body.lstrip(WHITESPACE)) + 1
    items: list[bytes] = []
    depth = 0
    for token in _TOKEN.finditer(body, start):
        sign = body[token.start()]
        if sign in b"[{":
            depth += 1
        elif sign in b"]}" and depth:
            depth -= 1
        elif sign in b"]}":
            return _finish(body, items, start, token)
        elif sign in b"," and not depth:
            items.append(body[start : token.start()])
            start = token.end()
            if len(items) >= REQUEST_ITEMS:
                raise too_many_items()
    raise ContractError(Code.NOT_JSON, "the array does not end")


def split_lines(body: bytes) -> list[bytes]:
    """The lines that are not blank."""
    return [line for line in body.split(b"\n") if line.strip(WHITESPACE)]


def too_many_items() -> ContractError:
    """A request beyond the limit of items."""
    return ContractError(Code.TOO_MANY_ITEMS, f"a request holds at most {REQUEST_ITEMS} items")


def _finish(body: bytes, items: list[bytes], start: int, end: re.Match[bytes]) -> list[bytes]:
    if end[0] != b"]" or body[end.end() :].strip(WHITESPACE):
        raise ContractError(Code.NOT_JSON, "the body is no single JSON array")
    last = body[start : end.start()]
    if last.strip(WHITESPACE) or items:
        items.append(last)
    return items
