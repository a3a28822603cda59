"""Search bodies and the arguments beside them: what is asked for, checked, as one `Query`."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

from visado import errors
from visado.search import elasticsearch, koncorde
from visado.search.clauses import is_list, is_object, refuse
from visado.storage.query.predicates import Anything, Predicate, Query, Sort, all_of

MAX_RESULTS = 10_000
MAX_SORTS = 100
MAX_SCROLL_MS = 60_000

_LANGUAGES = {"elasticsearch": elasticsearch.compile_query, "koncorde": koncorde.compile_query}
# fmt: off
_KEYS = frozenset({
    "aggregations", "aggs", "collapse", "explain", "fields", "from", "highlight", "post_filter", "query",
    "search_after", "search_timeout", "size", "sort", "suggest", "_name", "_source", "_source_excludes",
    "_source_includes",
})
# fmt: on
_SORT_OPTIONS = frozenset({"order", "missing", "mode", "unmapped_type", "numeric_type", "format", "nested"})
_TIME = re.compile(r"([0-9]{1,18})(nanos|micros|ms|s|m|h|d)|(0)")
_MS = {"nanos": 1e-6, "micros": 1e-3, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse(
    body: Mapping[str, Any] | None,
    *,
    lang: str = "elasticsearch",
    offset: int = 0,
    limit: int | None = None,
    keywords: Container[str] = (),
) -> Query:
    """Read a search body; its `from` and `size` are accepted and ignored, the arguments count.

    Without a limit, as much as a search may return. In the fields `keywords`, `match` wants the whole text.
    Raises `SearchRefused`, `InvalidType`, `InvalidArgument`, `InvalidSearchKey`, `InvalidQueryKeyword`,
    `KoncordeRestrictedKeyword`, `GetLimitExceeded`.
    """
    body = body or {}
    limit = _window(offset, limit)
    unknown = next((key for key in body if key not in _KEYS), None)
    if unknown is not None:
        raise errors.InvalidSearchKey(key=unknown)
    elasticsearch.refuse_scripts(body)
    sort = parse_sort(body.get("sort"))
    where = _where(body.get("query"), lang, keywords)
    if body.get("post_filter") is not None:
        where = all_of((where, elasticsearch.compile_query(body["post_filter"], keywords=keywords)))
    return Query(
        where=where,
        sort=sort,
        offset=offset,
        limit=limit,
        after=_after(body.get("search_after"), sort, offset),
    )


def _window(offset: int, limit: int | None) -> int:
    if limit is not None and limit > MAX_RESULTS:
        raise errors.GetLimitExceeded
    if limit is not None and limit < 0:
        refuse(f"[size] parameter cannot be negative, found [{limit}]")
    if offset < 0:
        refuse(f"[from] parameter cannot be negative but was [{offset}]")
    end = offset + (limit or 0)
    if end > MAX_RESULTS:
        refuse(
            f"Result window is too large, from + size must be less than or equal to: [{MAX_RESULTS}] but was [{end}]"
        )
    return MAX_RESULTS - offset if limit is None else limit


def _where(query: Any, lang: str, keywords: Container[str]) -> Predicate:
    compile_query = _LANGUAGES.get(lang)
    if compile_query is None:
        raise errors.InvalidArgument(argument="lang", expected='"elasticsearch" or "koncorde"')
    if query is None:
        return Anything()
    if not is_object(query):
        raise errors.InvalidType(argument="body.query", expected="object")
    return compile_query(query, keywords=keywords)


def parse_sort(sort: Any) -> tuple[Sort, ...]:
    """Read a sort order in any spelling: a field, `{field: order}`, `{field: {...}}`, or a list of these."""
    if sort is None:
        return ()
    found: list[Sort] = []
    for entry in sort if is_list(sort) else [sort]:
        if isinstance(entry, str) and entry:
            found.append(Sort(entry, descending=entry == "_score"))
        elif is_object(entry):
            found.extend(_sort(field, how) for field, how in entry.items())
        else:
            refuse("[sort] malformed, a field or an object is needed")
        if len(found) > MAX_SORTS:
            refuse(f"[sort] holds more fields than the maximum of [{MAX_SORTS}]")
    return tuple(found)


def _sort(field: str, how: Any) -> Sort:
    options: Mapping[str, Any] = how if is_object(how) else {"order": how}
    unknown = next((option for option in options if option not in _SORT_OPTIONS), None)
    if unknown is not None:
        refuse(f"[field_sort] unknown field [{unknown}]")
    if options.get("missing", "_last") != "_last":
        refuse("[field_sort] places missing values [_last] alone")
    order = options.get("order", "desc" if field == "_score" else "asc")
    if not isinstance(order, str) or order.lower() not in {"asc", "desc"}:
        refuse(f"[field_sort] knows no such order for [{field}]")
    return Sort(field, descending=order.lower() == "desc")


def _after(values: Any, sort: tuple[Sort, ...], offset: int) -> tuple[Any, ...] | None:
    if values is None:
        return None
    if not is_list(values):
        refuse("[search_after] malformed, a list is needed")
    if not sort:
        refuse("Sort must contain at least one field.")
    if len(values) != len(sort):
        refuse(f"search_after has {len(values)} value(s) but sort has {len(sort)}.")
    if not all(value is None or isinstance(value, str | int | float) for value in values):
        refuse("[search_after] takes texts, numbers, booleans and nulls")
    if offset:
        refuse("`from` parameter must be set to 0 when `search_after` is used")
    return tuple(values)


def parse_scroll(text: str) -> int:
    """Read how long to keep a cursor, such as `10s`, in ms. Raises `SearchRefused`, `ScrollTooLong`."""
    found = _TIME.fullmatch(text.strip().lower())
    if found is None:
        refuse(f"failed to parse setting [scroll] with value [{text}] as a time value: unit is missing or unrecognized")
    duration = int(found[1]) * _MS[found[2]] if found[1] else 0
    if duration > MAX_SCROLL_MS:
        raise errors.ScrollTooLong(duration=text)
    return int(duration)
