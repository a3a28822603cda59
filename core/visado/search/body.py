"""Search bodies: `{query, sort, ...}` and the arguments beside it, checked and compiled to one `Query`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from visado import errors
from visado.codec import is_list, is_object
from visado.search import elasticsearch, koncorde
from visado.search.clause_reading import refuse
from visado.search.rules import ALLOW_ALL, SearchRules
from visado.storage.query.predicates import Anything, Predicate, Query, Sort, all_of

MAX_RESULTS: Final = 10_000
MAX_SORTS: Final = 100
MAX_SCROLL_MS: Final = 60_000

_LANGUAGES: Final = {"elasticsearch": elasticsearch.compile_query, "koncorde": koncorde.compile_query}
# fmt: off
_KEYS: Final = frozenset({
    "aggregations", "aggs", "collapse", "explain", "fields", "from", "highlight", "post_filter", "query",
    "search_after", "search_timeout", "size", "sort", "suggest", "_name", "_source", "_source_excludes",
    "_source_includes",
})
# fmt: on
_SORT_OPTIONS: Final = frozenset({"order", "missing", "mode", "unmapped_type", "numeric_type", "format", "nested"})
_DURATION: Final = re.compile(r"([0-9]{1,18})(nanos|micros|ms|s|m|h|d)|(0)")
_UNIT_MS: Final = {"nanos": 1e-6, "micros": 1e-3, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_search(
    body: Mapping[str, Any] | None,
    *,
    lang: str = "elasticsearch",
    offset: int = 0,
    limit: int | None = None,
    rules: SearchRules = ALLOW_ALL,
) -> Query:
    """Compile a search body to a `Query`.

    lang: the language of the body's `query`, `elasticsearch` or `koncorde`.
    offset, limit: the page; the body's own `from` and `size` are ignored. None means as many results as are allowed.
    rules: the fields and words that the search may use.

    Raises `SearchRefused`, `InvalidType`, `InvalidArgument`, `InvalidSearchKey`, `InvalidQueryKeyword`,
    `KoncordeRestrictedKeyword`, `GetLimitExceeded`, and the errors of the rules.
    """
    body = body or {}
    limit = _page_size(offset, limit)
    unknown = next((key for key in body if key not in _KEYS), None)
    if unknown is not None:
        raise errors.InvalidSearchKey(key=unknown)
    if rules.words is None:
        elasticsearch.refuse_scripts(body)
    sort = parse_sort(body.get("sort"), rules)
    where = _where(body.get("query"), lang, rules)
    if body.get("post_filter") is not None:
        where = all_of((where, elasticsearch.compile_query(body["post_filter"], rules)))
    return Query(
        where=where,
        sort=sort,
        offset=offset,
        limit=limit,
        after=_after(body.get("search_after"), sort, offset),
    )


def _page_size(offset: int, limit: int | None) -> int:
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


def _where(query: Any, lang: str, rules: SearchRules) -> Predicate:
    compile_query = _LANGUAGES.get(lang)
    if compile_query is None:
        raise errors.InvalidArgument(argument="lang", expected='"elasticsearch" or "koncorde"')
    if query is None:
        return Anything()
    if not is_object(query):
        raise errors.InvalidType(argument="body.query", expected="object")
    return compile_query(query, rules)


def parse_sort(sort: Any, rules: SearchRules = ALLOW_ALL) -> tuple[Sort, ...]:
    """Read an order in any spelling: a field, `{field: order}`, `{field: {...}}`, or a list of these.

    Raises `SearchRefused`, and the errors of the rules.
    """
    if sort is None:
        return ()
    keys: list[Sort] = []
    for entry in sort if is_list(sort) else [sort]:
        if isinstance(entry, str) and entry:
            keys.append(Sort(rules.sort_field(entry), descending=entry == "_score"))
        elif is_object(entry):
            keys.extend(_sort(name, order, rules) for name, order in entry.items())
        else:
            refuse("[sort] malformed, a field or an object is needed")
        if len(keys) > MAX_SORTS:
            refuse(f"[sort] holds more fields than the maximum of [{MAX_SORTS}]")
    return tuple(keys)


def _sort(name: str, order: Any, rules: SearchRules) -> Sort:
    field = rules.sort_field(name)
    options = order if is_object(order) else {"order": order}
    for option in options:
        rules.check_word(option)
        if option not in _SORT_OPTIONS:
            refuse(f"[field_sort] unknown field [{option}]")
    if options.get("missing", "_last") != "_last":
        refuse("[field_sort] supports no other place for missing values than [_last]")
    direction = options.get("order", "desc" if name == "_score" else "asc")
    if not isinstance(direction, str) or direction.lower() not in {"asc", "desc"}:
        refuse(f"[field_sort] the order of [{name}] must be asc or desc")
    return Sort(field, descending=direction.lower() == "desc")


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
        refuse("[search_after] values must be texts, numbers, booleans or nulls")
    if offset:
        refuse("`from` parameter must be set to 0 when `search_after` is used")
    return tuple(values)


def parse_scroll(text: str) -> int:
    """Read how long a cursor lives, such as `10s`. Return milliseconds. Raises `SearchRefused`, `ScrollTooLong`."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        refuse(f"failed to parse setting [scroll] with value [{text}] as a time value: unit is missing or unrecognized")
    duration = int(match[1]) * _UNIT_MS[match[2]] if match[1] else 0
    if duration > MAX_SCROLL_MS:
        raise errors.ScrollTooLong(duration=text)
    return int(duration)
