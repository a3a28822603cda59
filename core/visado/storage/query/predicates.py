"""The predicate tree: what a document must be like to be found.

A field is a dotted path; the field `_id` is the document's id. Where a document holds a list, one item that
fits is enough, as in Elasticsearch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Anything:
    """Every document."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The field holds this value."""

    field: str
    value: Any


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field holds one of these values."""

    field: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Ids:
    """The document has one of these ids."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is there, and not null."""

    field: str


@dataclass(frozen=True, slots=True)
class Range:
    """The field lies between bounds; None is no bound."""

    field: str
    gt: Any = None
    gte: Any = None
    lt: Any = None
    lte: Any = None


@dataclass(frozen=True, slots=True)
class Prefix:
    """The field's text starts so."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """The field's text fits a pattern of `*` and `?`."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Regexp:
    """The field's text fits a regular expression, searched for with a time limit."""

    field: str
    pattern: str
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Matches:
    """One word of the text is a word of the field's text, whatever their case; other values are equal."""

    field: str
    text: Any


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """So many of the parts hold."""

    count: int
    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Predicate


Field: TypeAlias = Equals | OneOf | Exists | Range | Prefix | Wildcard | Regexp | Matches
"""What one field must be like."""

Predicate: TypeAlias = Anything | Ids | Field | And | Or | AtLeast | Not

NOTHING = Or(())
"""No document."""


def all_of(parts: Iterable[Predicate]) -> Predicate:
    """Join parts that must all hold, as simply as may be."""
    needed = tuple(part for part in parts if part != Anything())
    if not needed:
        return Anything()
    return needed[0] if len(needed) == 1 else And(needed)


def any_of(parts: Iterable[Predicate]) -> Predicate:
    """Join parts of which one must hold, as simply as may be."""
    options = tuple(parts)
    return options[0] if len(options) == 1 else Or(options)


@dataclass(frozen=True, slots=True)
class Sort:
    """One key to sort by."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents, in which order, from where, how many.

    `after` holds the sort values of the last document of the page before (Elasticsearch's `search_after`).
    """

    where: Predicate = Anything()
    sort: tuple[Sort, ...] = ()
    offset: int = 0
    limit: int | None = None
    after: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The documents found, `(id, document)` each, and how many there are in all."""

    hits: list[tuple[str, Mapping[str, Any]]]
    total: int
