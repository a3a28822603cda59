"""The order of hits, and the page that follows a document in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from visado import errors
from visado.storage.query.predicates import Hit, Sort
from visado.storage.query.terms import values_at

_Rank: TypeAlias = tuple[Any, ...]


def sort_hits(hits: Iterable[Hit], sort: Sequence[Sort]) -> list[Hit]:
    """Return the hits in order: equal ones in the order given, and documents without the field last."""
    ordered = list(hits)
    for key in reversed(sort):
        ordered.sort(key=_ranking(key), reverse=key.descending)
    return ordered


def hits_after(hits: Iterable[Hit], sort: Sequence[Sort], values: Sequence[Any]) -> list[Hit]:
    """Return the hits that come after a document with these sort values. Raises `SearchRefused`."""
    if len(values) != len(sort):
        raise errors.SearchRefused(cause=f"search_after has {len(values)} value(s) but sort has {len(sort)}.")
    steps = [
        (_ranking(key), _rank([value], descending=key.descending), key.descending)
        for key, value in zip(sort, values, strict=True)
    ]

    def follows(hit: Hit) -> bool:
        for ranking, reached, descending in steps:
            rank = ranking(hit)
            if rank != reached:
                return (rank > reached) is not descending
        return False

    return [hit for hit in hits if follows(hit)]


def _ranking(key: Sort) -> Callable[[Hit], _Rank]:
    descending = key.descending
    if key.field == "_id":
        return lambda hit: _rank([hit[0]], descending=descending)
    path = key.field.split(".")
    return lambda hit: _rank(values_at(hit[1], path), descending=descending)


def _rank(values: Iterable[Any], *, descending: bool) -> _Rank:
    """Rank a field: numbers before text, no value last. The value of a list that comes first counts."""
    ranks = [(1, isinstance(value, str), value) for value in values if isinstance(value, str | int | float)]
    if not ranks:
        return (0,) if descending else (2,)
    return max(ranks) if descending else min(ranks)
