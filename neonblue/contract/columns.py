"""How the fields of a struct are stored in PostgreSQL, read from the struct itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class Stored:
    """An annotation of a field that is stored otherwise than `text` or `integer`, or set by the platform.

    compared: what of it a repetition must say again, in SQL with `{of}` for the table; nothing where it is empty.
    """

    sql_type: str = "text"
    compared: str = '{of}."{name}"'


class Column(NamedTuple):
    """A column of the field's name. optional: whether it may be null."""

    name: str
    sql_type: str
    optional: bool
    compared: str


def columns_of(struct: type[Struct]) -> tuple[Column, ...]:
    """The columns of the struct's fields, in their order. Raises TypeError for a field of no stored type."""
    hints = get_type_hints(struct, include_extras=True)
    return tuple(_column(name, hints[name]) for name in struct.__struct_fields__)


def listed(columns: Iterable[Column], of: str = "") -> str:
    """The columns' names for a statement, each with the table's where `of` names it."""
    return ", ".join(f'{of}."{column.name}"' if of else f'"{column.name}"' for column in columns)


def compared(columns: Iterable[Column], of: str) -> str:
    """What a repetition must say again, of the table `of`."""
    return ", ".join(column.compared.format(of=of, name=column.name) for column in columns if column.compared)


def _column(name: str, hint: object) -> Column:
    notes: tuple[object, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        notes = tuple(rest)
    kinds = {kind for kind in get_args(hint) or (hint,) if kind is not NoneType}
    optional = hint is Any or NoneType in get_args(hint)
    stored = next((note for note in notes if isinstance(note, Stored)), None)
    if stored is None:
        if kinds not in ({str}, {int}):
            raise TypeError(f"{name}: say how it is stored")
        stored = Stored("text" if kinds == {str} else "integer")
    return Column(name, stored.sql_type, optional, stored.compared)
