"""The search of a storage: conditions in, a page out.

Owns the predicate tree (`predicates`), its meaning (`evaluation`, `patterns`), equality (`terms`) and order (`order`).
Does not own the languages that compile to the tree: those are `visado.search`.

A storage either evaluates the tree with the functions below, or translates it to a language of its own.
"""

from visado.storage.query.evaluation import DocumentTest, compile_predicate
from visado.storage.query.order import hits_after, sort_hits
from visado.storage.query.predicates import (
    And,
    Anything,
    AtLeast,
    Equals,
    Exists,
    Field,
    Hit,
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
from visado.storage.query.terms import necessary_conditions, term_of, terms_of

__all__ = [
    "And",
    "Anything",
    "AtLeast",
    "DocumentTest",
    "Equals",
    "Exists",
    "Field",
    "Hit",
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
    "compile_predicate",
    "hits_after",
    "necessary_conditions",
    "sort_hits",
    "term_of",
    "terms_of",
]
