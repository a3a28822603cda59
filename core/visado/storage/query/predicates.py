"""The predicate tree: the conditions that a document must fulfil to be found.

A field is a dotted path; the field `_id` is the document's id. If a field holds a list, one item that fulfils the
condition is enough, as in Elasticsearch.
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
    """The field is present and not null."""

    field: str


@dataclass(frozen=True, slots=True)
class Range:
    """The field lies between bounds; None means no bound."""

    field: str
    gt: Any = None
    gte: Any = None
    lt: Any = None
    lte: Any = None


@dataclass(frozen=True, slots=True)
class Prefix:
    """The field's text starts with this value."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """The field's text matches a pattern of `*` and `?`."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Regexp:
    """The field's text contains a match of a regular expression, which is searched for within a time limit."""

    field: str
    pattern: str
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Matches:
    """The text and the field's text share a word, in any case. Values that are not text must be equal."""

    field: str
    text: Any


@dataclass(frozen=True, slots=True)
class And:
    """All parts are fulfilled."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part is fulfilled."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """At least `count` of the parts are fulfilled."""

    count: int
    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part is not fulfilled."""

    part: Predicate


Field: TypeAlias = Equals | OneOf | Exists | Range | Prefix | Wildcard | Regexp | Matches
"""A condition on one field."""

Predicate: TypeAlias = Anything | Ids | Field | And | Or | AtLeast | Not
"""A condition on a document."""

Hit: TypeAlias = tuple[str, Mapping[str, Any]]
"""A document that a search found, after its id."""

NOTHING = Or(())
"""The condition that no document fulfils."""


def all_of(parts: Iterable[Predicate]) -> Predicate:
    """Return the simplest predicate that is fulfilled when all parts are."""
    required = tuple(part for part in parts if part != Anything())
    if not required:
        return Anything()
    return required[0] if len(required) == 1 else And(required)


def any_of(parts: Iterable[Predicate]) -> Predicate:
    """Return the simplest predicate that is fulfilled when at least one part is."""
    options = tuple(parts)
    return options[0] if len(options) == 1 else Or(options)


@dataclass(frozen=True, slots=True)
class Sort:
    """A field to sort by."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A search: the condition, the order, the number of documents to skip, and the size of the page.

    `limit` None asks for all documents. `after` holds the sort values of the last document of the previous page
    (Elasticsearch's `search_after`).
    """

    where: Predicate = Anything()
    sort: tuple[Sort, ...] = ()
    offset: int = 0
    limit: int | None = None
    after: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the documents that a search found, and the number of all that match."""

    hits: list[Hit]
    total: int
