"""From a request's body to its items, each decoded or with the rule it broke."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from neonblue.contract.codes import Code
from neonblue.contract.compiled import compiled
from neonblue.contract.explaining import decode_item, find_duplicate_key
from neonblue.contract.limits import REQUEST_ITEMS
from neonblue.contract.splitting import WHITESPACE, split_array, split_lines, too_many_items
from neonblue.contract.texts import check_text, count_keys, object_fields, text_fields
from neonblue.contract.violation import ContractError, Violation

T = TypeVar("T", bound=Struct)

_ESCAPED_CONTROL = re.compile(rb"\\(?:u00[01]|[bfnrt])")
_SPACED_KEY = re.compile(rb'"[ \t\n\r]+:')


@dataclass(frozen=True, slots=True)
class Items(Generic[T]):
    """Items in the order of the body. `single`: the body was one object, not an array or lines."""

    items: list[T | Violation]
    single: bool


class ItemDecoder(Generic[T]):
    """Decodes bodies of one item, an array of items, or one item per line. Every text is checked, by the item's type.

    check: a rule on the whole item that neither its type nor the rules on texts and objects express; raises
    ContractError.

    The common case, an array without a fault, is decoded at once; whatever else is taken apart item by item.
    """

    def __init__(self, item_type: type[T], check: Callable[[T], None] | None = None) -> None:
        self._texts = text_fields(item_type)
        self._objects = object_fields(item_type)
        self._rule = check
        self._present: Callable[[T], int] = compiled(
            "item", " + ".join(f"(item.{name} is not None)" for name in item_type.__struct_fields__)
        )
        self._one = msgspec.json.Decoder(item_type).decode
        self._many = msgspec.json.Decoder(list[item_type]).decode  # type: ignore[valid-type]

    def decode_plain(self, body: bytes) -> T | None:
        """The item of a body that is one object without fault, escapes, or space behind a text; None of any other."""
        if not body.startswith(b"{") or b"\\" in body:
            return None
        if b'" ' in body or b'"\t' in body or b'"\n' in body or b'"\r' in body:
            return None
        try:
            item = self._one(body)
            keys = self._inspect(item, False)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ContractError):
            return None
        return item if body.count(b'":') == keys else None

    def decode(self, body: bytes, *, lines: bool = False) -> Items[T]:
        """Raises ContractError when the body as a whole can't be read, is empty, or holds too many items."""
        if not body.strip(WHITESPACE):
            raise ContractError(Code.EMPTY, "the body is empty")
        if lines:
            texts = split_lines(body)
            if len(texts) > REQUEST_ITEMS:
                raise too_many_items()
            return Items(self._decode_texts(texts), single=False)
        return self._decode_json(body)

    def _decode_json(self, body: bytes) -> Items[T]:
        first = body.lstrip(WHITESPACE)[:1]
        if first == b"{":
            return Items(self._decode_texts([body]), single=True)
        if first != b"[":
            raise ContractError(Code.NOT_JSON, "the body must be a JSON object or an array of objects")
        return Items(self._decode_array(body), single=False)

    def _decode_array(self, body: bytes) -> list[T | Violation]:
        try:
            items = self._many(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._decode_texts(_not_empty(split_array(body)))
        if len(_not_empty(items)) > REQUEST_ITEMS:
            raise too_many_items()
        checked, keys = self._check(items, body)
        if _keys_written(body) != keys:
            return self._refuse_duplicate_keys(checked, split_array(body))
        return checked

    def _decode_texts(self, texts: list[bytes]) -> list[T | Violation]:
        result: list[T | Violation] = []
        for text in texts:
            item = decode_item(self._one, text)
            if isinstance(item, Violation):
                result.append(item)
                continue
            checked, keys = self._check([item], text)
            if _keys_written(text) != keys:
                checked = self._refuse_duplicate_keys(checked, [text])
            result += checked
        return result

    def _check(self, items: list[T], body: bytes) -> tuple[list[T | Violation], int]:
        texts = b"\\" in body and _ESCAPED_CONTROL.search(body) is not None
        inspect = self._inspect
        checked: list[T | Violation] = list(items)
        keys = 0
        for index, item in enumerate(items):
            try:
                keys += inspect(item, texts)
            except ContractError as error:
                checked[index] = error.violation
        return checked, keys

    def _inspect(self, item: T, texts: bool) -> int:
        """How many keys the item has; a field that is null has none. texts: whether control characters may occur."""
        if texts:
            for field in self._texts:
                text = getattr(item, field)
                if text is not None:
                    check_text(text, field)
        keys = self._present(item)
        for field in self._objects:
            held = getattr(item, field)
            if held is not None:
                keys += count_keys(held, field, texts=texts)
        if self._rule is not None:
            self._rule(item)
        return keys

    @staticmethod
    def _refuse_duplicate_keys(items: list[T | Violation], texts: list[bytes]) -> list[T | Violation]:
        return [
            item if isinstance(item, Violation) else find_duplicate_key(text) or item
            for item, text in zip(items, texts, strict=True)
        ]


def _not_empty(items: list[Any]) -> list[Any]:
    if not items:
        raise ContractError(Code.EMPTY, "the array is empty")
    return items


def _keys_written(body: bytes) -> int:
    """How often a key is written in the body; -1 where counting colons can't tell.

    A key is a text right before a colon. Equal to the number of decoded keys: none was named twice.
    """
    if b'\\":' in body or _SPACED_KEY.search(body):
        return -1
    return body.count(b'":')
