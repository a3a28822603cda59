"""Searching: bodies in, one predicate tree out.

Owns the tree (`predicates`), what it means (`evaluate`), the two languages that compile to it
(`elasticsearch`, `koncorde`) and the bodies that hold them (`body`). Does not own where documents are kept: a
storage may evaluate the tree, or translate it.
"""

from visado.storage.query.predicates import (
    And,
    Anything,
    AtLeast,
    Equals,
    Exists,
    Field,
    Ids,
    Matches,
    Not,
    OneOf,
    Or,
    Page,
    Predicate,
    Prefix,
    Query,
    Range,
    Regexp,
    Sort,
    Wildcard,
)

__all__ = [
    "And",
    "Anything",
    "AtLeast",
    "Equals",
    "Exists",
    "Field",
    "Ids",
    "Matches",
    "Not",
    "OneOf",
    "Or",
    "Page",
    "Predicate",
    "Prefix",
    "Query",
    "Range",
    "Regexp",
    "Sort",
    "Wildcard",
]
