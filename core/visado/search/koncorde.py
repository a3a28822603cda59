"""Koncorde, Kuzzle's own filter language, compiled to predicates.

A keyword that is not Koncorde's is read as Elasticsearch's, as Kuzzle does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from visado import errors
from visado.codec import is_object
from visado.search import elasticsearch
from visado.search.clause_reading import Clauses, Reader, refuse, require_list, require_text
from visado.search.rules import ALLOW_ALL, SearchRules
from visado.storage.query.predicates import NOTHING, Anything, Equals, Exists, Not, Predicate, Regexp, all_of, any_of

_GEO: Final = ("geoBoundingBox", "geoDistance", "geoDistanceRange", "geoPolygon")
_QUOTES: Final = "\"'"


def compile_query(filters: Any, rules: SearchRules = ALLOW_ALL) -> Predicate:
    """Compile filters; empty ones find every document.

    Raises `SearchRefused`, `InvalidQueryKeyword`, `KoncordeRestrictedKeyword`, and the errors of the rules.
    """
    if rules.words is None:
        elasticsearch.refuse_scripts(filters)
    return Anything() if filters == {} else Clauses(READERS, rules).read(filters)


def _and(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return all_of(_parts(clauses, keyword, content))


def _or(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return any_of(_parts(clauses, keyword, content))


def _parts(clauses: Clauses, keyword: str, content: Any) -> list[Predicate]:
    if content == []:
        refuse(f"Attribute [{keyword}] cannot be empty")
    return clauses.read_all(require_list(content, keyword))


def _not(clauses: Clauses, _keyword: str, content: Any) -> Predicate:
    return Not(clauses.read(content))


def _bool(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    options = clauses.options(content, keyword, "must", "must_not", "should", "should_not")
    parts_of = {name: clauses.read_all(inner) for name, inner in options.items()}
    if not all(parts_of.values()):
        refuse(f"Attributes of [{keyword}] cannot be empty")
    parts = [*parts_of.get("must", []), *(Not(part) for part in parts_of.get("must_not", []))]
    if "should" in parts_of:
        parts.append(any_of(parts_of["should"]))
    if "should_not" in parts_of:
        parts.append(Not(all_of(parts_of["should_not"])))
    return all_of(parts)


def _exists(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    """Read `field` or `{"field": field}`. In both, `field[value]` means a list that holds this value."""
    path = content if isinstance(content, str) else clauses.options(content, keyword, "field").get("field")
    name, bracket, inner = require_text(path, keyword).partition("[")
    if not bracket:
        return Exists(clauses.rules.field(name))
    if not name or not inner.endswith("]"):
        refuse(
            "An error occured while translating a Koncorde filter to an Elasticsearch query: "
            f"invalid array value [{path}]"
        )
    value = inner[:-1].strip()
    quoted = len(value) > 1 and value[0] in _QUOTES and value[0] == value[-1]
    return Equals(clauses.rules.field(name), value[1:-1] if quoted else value)


def _missing(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return Not(_exists(clauses, keyword, content))


def _regexp(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    field, value = clauses.field(content, keyword)
    options = clauses.options(value, keyword, "value", "flags") if is_object(value) else {"value": value}
    flags = options.get("flags")
    return Regexp(
        field,
        require_text(options.get("value"), keyword),
        "" if flags is None else require_text(flags, keyword),
    )


def _nothing(_clauses: Clauses, _keyword: str, _content: Any) -> Predicate:
    return NOTHING


def _geo(_clauses: Clauses, keyword: str, _content: Any) -> Predicate:
    raise errors.KoncordeRestrictedKeyword(kind="clause", keyword=keyword)


READERS: Final[Mapping[str, Reader]] = {
    **elasticsearch.READERS,
    **dict.fromkeys(_GEO, _geo),
    "and": _and,
    "bool": _bool,
    "equals": elasticsearch.read_term,
    "exists": _exists,
    "in": elasticsearch.read_terms,
    "missing": _missing,
    "not": _not,
    "nothing": _nothing,
    "or": _or,
    "regexp": _regexp,
}
"""The clauses by their keywords."""
