"""Koncorde filters in the words of Elasticsearch: for strategies, which know the one language only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from visado import errors
from visado.codec import is_list, is_object

_DEEPEST: Final = 50


def as_elasticsearch(query: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """Hand on a query, translated where it is Koncorde's. Raises `SearchRefused`, `InvalidArgument`."""
    if lang not in ("elasticsearch", "koncorde"):
        raise errors.InvalidArgument(argument="lang", expected='"elasticsearch" or "koncorde"')
    return dict(query) if lang == "elasticsearch" else _translate(query, 0)


def _translate(query: Any, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise errors.SearchRefused(cause="the query is too deep")
    if not is_object(query):
        raise errors.SearchRefused(cause="a filter is an object")
    if not query:
        return {"match_all": {}}
    if len(query) > 1:
        raise errors.SearchRefused(cause="a filter holds one keyword")
    keyword, value = next(iter(query.items()))
    if keyword in _RENAMED:
        return {_RENAMED[keyword]: value}
    translate = _COMPOUND.get(keyword)
    if translate is None:
        raise errors.SearchRefused(cause=f"unknown query [{keyword}]")
    return {"bool": translate(value, depth + 1)}


def _each(value: Any, depth: int) -> list[dict[str, Any]]:
    if not is_list(value):
        raise errors.SearchRefused(cause="a list of filters is needed")
    return [_translate(part, depth) for part in value]


_RENAMED: Final = {"equals": "term", "in": "terms", "exists": "exists", "range": "range", "ids": "ids"}
_COMPOUND: Final[Mapping[str, Callable[[Any, int], dict[str, Any]]]] = {
    "and": lambda value, depth: {"filter": _each(value, depth)},
    "or": lambda value, depth: {"should": _each(value, depth)},
    "not": lambda value, depth: {"must_not": [_translate(value, depth)]},
    "missing": lambda value, _: {"must_not": [{"exists": value}]},
}
