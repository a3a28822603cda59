"""Koncorde, Kuzzle's own filter language. What is not its word is read as Elasticsearch's, as Kuzzle does."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from visado import errors
from visado.search import elasticsearch
from visado.search.clauses import Clauses, Reader, is_object, known, list_of, refuse, single, text
from visado.storage.query.predicates import NOTHING, Anything, Equals, Exists, Not, Predicate, Regexp, all_of, any_of

_GEO = ("geoBoundingBox", "geoDistance", "geoDistanceRange", "geoPolygon")
_QUOTES = "\"'"


def compile_query(filters: Any, *, keywords: Container[str] = ()) -> Predicate:
    """Compile filters; empty ones find everything. Raises `SearchRefused`, `KoncordeRestrictedKeyword`."""
    elasticsearch.refuse_scripts(filters)
    return Anything() if filters == {} else Clauses(READERS, keywords).read(filters)


def _and(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return all_of(_parts(clauses, keyword, content))


def _or(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return any_of(_parts(clauses, keyword, content))


def _parts(clauses: Clauses, keyword: str, content: Any) -> list[Predicate]:
    if content == []:
        refuse(f"Attribute [{keyword}] cannot be empty")
    return clauses.read_all(list_of(content, keyword))


def _not(clauses: Clauses, _keyword: str, content: Any) -> Predicate:
    return Not(clauses.read(content))


def _bool(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    given = known(content, keyword, "must", "must_not", "should", "should_not")
    read = {name: clauses.read_all(inner) for name, inner in given.items()}
    if not all(read.values()):
        refuse(f"Attributes of [{keyword}] cannot be empty")
    parts = [*read.get("must", []), *(Not(part) for part in read.get("must_not", []))]
    if "should" in read:
        parts.append(any_of(read["should"]))
    if "should_not" in read:
        parts.append(Not(all_of(read["should_not"])))
    return all_of(parts)


def _exists(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    """Read `field`, `{"field": field}`, and in both `field[value]`: a list that holds this value."""
    given = content if isinstance(content, str) else known(content, keyword, "field").get("field")
    field, bracket, inner = text(given, keyword).partition("[")
    if not bracket:
        return Exists(field)
    if not field or not inner.endswith("]"):
        refuse(
            "An error occured while translating a Koncorde filter to an Elasticsearch query: "
            f"invalid array value [{given}]"
        )
    value = inner[:-1].strip()
    quoted = len(value) > 1 and value[0] in _QUOTES and value[0] == value[-1]
    return Equals(field, value[1:-1] if quoted else value)


def _missing(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return Not(_exists(clauses, keyword, content))


def _regexp(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    field, given = single(content, keyword)
    options = known(given, keyword, "value", "flags") if is_object(given) else {"value": given}
    flags = options.get("flags")
    return Regexp(
        field,
        text(options.get("value"), keyword),
        "" if flags is None else text(flags, keyword),
    )


def _nothing(_clauses: Clauses, _keyword: str, _content: Any) -> Predicate:
    return NOTHING


def _geo(_clauses: Clauses, keyword: str, _content: Any) -> Predicate:
    raise errors.KoncordeRestrictedKeyword(kind="clause", keyword=keyword)


READERS: Mapping[str, Reader] = {
    **elasticsearch.READERS,
    **dict.fromkeys(_GEO, _geo),
    "and": _and,
    "bool": _bool,
    "equals": elasticsearch.term,
    "exists": _exists,
    "in": elasticsearch.terms,
    "missing": _missing,
    "not": _not,
    "nothing": _nothing,
    "or": _or,
    "regexp": _regexp,
}
"""How to read each keyword."""
