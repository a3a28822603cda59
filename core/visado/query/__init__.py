"""Searching: bodies in, one predicate tree out.

Owns the tree, what it means, and the two languages that compile to it: the Elasticsearch subset and
Koncorde. Does not own where documents are kept: a storage may evaluate the tree, or translate it.
"""

from visado.query.predicates import (
    And,
    Anything,
    Equals,
    Exists,
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
    "Equals",
    "Exists",
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
